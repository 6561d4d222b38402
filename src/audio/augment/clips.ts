// Where noises and impulse responses come from.
import { dirname, isAbsolute, resolve } from 'node:path';
import { AnemoneError } from '../../errors/index.js';
import { decodeUtf8, parseJsonText, readRegularFileSync } from '../../formats/index.js';
import type { CounterRandom } from '../../random/index.js';
import { decodeAudio } from '../decode.js';

interface ClipEntry {
  readonly path: string;
  readonly offset: number;
  readonly duration: number | undefined;
}

/** Samples kept decoded: 64 MiB of float32. */
const CACHE_SAMPLES = 2 ** 24;
/** Bytes of a manifest: as long a text as Node can hold. */
const MAX_MANIFEST = 2 ** 29;

/**
 * Recordings that augmentations draw from: a manifest of noises or impulse responses, decoded when first drawn and
 * kept within a memory bound.
 */
export class ClipSource {
  private read: readonly ClipEntry[] | undefined;
  private readonly cache = new Map<string, Float32Array>();
  private cached = 0;

  /**
   * @param manifests JSON Lines files with `audio_filepath` and optional `offset`, `duration`; relative
   *   paths are relative to the manifest. They are read by `open`, or when first needed
   */
  constructor(private readonly manifests: readonly string[]) {}

  /**
   * Reads the manifests.
   * @throws AnemoneError `manifest.missing`, `manifest.unreadable`, `manifest.corrupt`, `manifest.empty`
   */
  open(): void {
    void this.entries;
  }

  private get entries(): readonly ClipEntry[] {
    this.read ??= this.manifests.flatMap(readManifest);
    if (this.read.length > 0) return this.read;
    throw new AnemoneError({
      code: 'manifest.empty',
      message: 'the manifest lists no recordings',
      position: { file: this.manifests.join(', ') },
    });
  }

  /** Number of recordings in the manifests. */
  get size(): number {
    return this.entries.length;
  }

  /** A clip chosen by the stream's number 0, mono at `sampleRate`. */
  async draw(sampleRate: number, random: CounterRandom): Promise<Float32Array> {
    const index = random.integer(0, this.entries.length);
    const key = `${index}@${sampleRate}`;
    const cachedClip = this.cache.get(key);
    if (cachedClip) return cachedClip;
    const { path, offset, duration } = this.entries[index];
    const { samples } = await decodeAudio(path, { offset, duration, targetSampleRate: sampleRate });
    if (!this.cache.has(key) && samples.length <= CACHE_SAMPLES) {
      this.cache.set(key, samples);
      this.cached += samples.length;
    }
    for (const [oldest, clip] of this.cache) {
      if (this.cached <= CACHE_SAMPLES) break;
      this.cache.delete(oldest);
      this.cached -= clip.length;
    }
    return samples;
  }
}

function readManifest(file: string): ClipEntry[] {
  const bytes = readRegularFileSync(file, { prefix: 'manifest', maxBytes: MAX_MANIFEST });
  const text = decodeUtf8(bytes, file);
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const position = { file, line: i + 1 };
    const entry = parseJsonText(line, { code: 'manifest.corrupt', position, what: 'the line' });
    const { audio_filepath: path, offset, duration } = Object(entry) as Readonly<Record<string, unknown>>;
    if (typeof path !== 'string') {
      throw new AnemoneError({
        code: 'manifest.corrupt',
        message: 'not a JSON object with audio_filepath',
        position,
      });
    }
    return [
      {
        path: isAbsolute(path) ? path : resolve(dirname(file), path),
        offset: typeof offset === 'number' ? offset : 0,
        duration: typeof duration === 'number' && duration > 0 ? duration : undefined,
      },
    ];
  });
}
