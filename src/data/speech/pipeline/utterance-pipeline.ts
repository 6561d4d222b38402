// Recording to features, for one utterance and for a batch: decode, augment the waveform, compute features,
// mask them, pad. Runs in worker threads and, with num_workers 0, in the main one; results are the same,
// for all randomness is that of (seed, epoch, utterance).
import {
  type Augmentor,
  decodeAudio,
  type FeatureAugmentation,
  type Features,
  type FrontEnd,
  resample,
  trimSilence,
} from '../../../audio/index.js';
import { AnemoneError } from '../../../errors/index.js';
import { type ByteSource, fileSource, windowOf } from '../../../formats/index.js';
import { CounterRandom } from '../../../random/index.js';
import { roundUpToRung } from '../batching/rungs.js';
import { FeatureCache } from './feature-cache.js';
import type { BatchFeatures, BatchTask, ItemFailure, PipelineConfig, UtteranceRef } from './task.js';

interface Prepared extends Features {
  readonly seconds: number;
  readonly cached: boolean;
  readonly bytesWritten: number;
}

/** The stream of everything random about one utterance in one epoch. */
export function utteranceStream(root: CounterRandom, epoch: number, index: number): CounterRandom {
  return root.derive('utterance', epoch, index);
}

/** A file to open, or the stretch of an archive that holds the recording; whoever decodes it closes it. */
export async function recordingOf({
  path,
  archive,
}: Pick<UtteranceRef, 'path' | 'archive'>): Promise<string | ByteSource> {
  if (!archive) return path;
  const file = await fileSource(archive.path, 'audio');
  return { ...windowOf(file, archive.offset, archive.size, path), close: () => file.close() };
}

export class UtterancePipeline {
  private readonly random: CounterRandom;
  private readonly frontEnd: FrontEnd;
  private readonly augmentor: Augmentor | undefined;
  private readonly masking: FeatureAugmentation | undefined;
  private readonly cache: FeatureCache | undefined;

  constructor(private readonly config: PipelineConfig) {
    this.random = new CounterRandom(config.seed);
    this.frontEnd = config.frontEnd;
    this.augmentor = config.training ? config.augmentor : undefined;
    this.masking = config.training ? config.specAugment : undefined;
    this.cache = config.cacheFolder === undefined ? undefined : new FeatureCache(config.cacheFolder);
  }

  /** Features of a whole batch; utterances that cannot be used are reported, not thrown. */
  async batch(task: BatchTask): Promise<BatchFeatures> {
    const prepared: (Prepared | undefined)[] = [];
    const failures: ItemFailure[] = [];
    for (const [item, utterance] of task.items.entries()) {
      try {
        prepared.push(await this.prepare(utterance, task.epoch, task.cacheWrite));
      } catch (error) {
        // A programming error must not pass for a bad recording.
        if (!(error instanceof AnemoneError) || error.code === 'data.cache-write') throw error;
        prepared.push(undefined);
        failures.push({ item, code: error.code, message: error.message });
      }
    }
    return { ...this.collate(prepared, task), failures };
  }

  private async prepare(utterance: UtteranceRef, epoch: number, cacheWrite: boolean): Promise<Prepared> {
    const random = utteranceStream(this.random, epoch, utterance.index);
    const file = await this.cache?.locate(utterance);
    const cached = file === undefined ? undefined : await this.cache?.read(file);
    if (cached) {
      this.masking?.apply(cached.features, cached.frames, random.derive('spec_augment'));
      const seconds = (cached.frames * this.frontEnd.config.hop) / this.frontEnd.config.sample_rate;
      return { ...cached, seconds, cached: true, bytesWritten: 0 };
    }
    const samples = await this.waveform(utterance, random);
    // Cached features serve every epoch, hence no dither in them.
    const training = this.config.training && file === undefined;
    const features = this.frontEnd.compute(samples, { training, random: random.derive('front_end') });
    if (features.frames === 0) {
      throw new AnemoneError({
        code: 'audio.too-short',
        message: `${samples.length} samples give no frame of features`,
        position: { file: utterance.path },
      });
    }
    const bytesWritten =
      file !== undefined && cacheWrite && this.cache ? await this.cache.write(file, features) : 0;
    this.masking?.apply(features.features, features.frames, random.derive('spec_augment'));
    const seconds = samples.length / this.frontEnd.config.sample_rate;
    return { ...features, seconds, cached: false, bytesWritten };
  }

  private async waveform(utterance: UtteranceRef, random: CounterRandom): Promise<Float32Array> {
    const rate = this.frontEnd.config.sample_rate;
    const samples = utterance.samples
      ? resample(utterance.samples, utterance.sampleRate ?? rate, rate, this.config.resampler)
      : (
          await decodeAudio(await recordingOf(utterance), {
            offset: utterance.offset,
            duration: utterance.duration,
            targetSampleRate: rate,
            channelSelector: this.config.channelSelector,
            resampler: this.config.resampler,
            maxSeconds: this.config.maxSeconds,
          })
        ).samples;
    const heardSamples = this.config.trimSilence ? trimSilence(samples) : samples;
    const stream = random.derive('augmentor');
    const augmented = this.augmentor ? await this.augmentor.apply(heardSamples, rate, stream) : heardSamples;
    return padBoth(augmented, Math.trunc((this.config.shortestSeconds ?? 0) * rate));
  }

  /** Pads with `pad_value` to the planned frames, or to the next rung where an utterance is longer. */
  private collate(
    prepared: readonly (Prepared | undefined)[],
    task: BatchTask,
  ): Omit<BatchFeatures, 'failures'> {
    const usableIndices = prepared.flatMap((item, i) => (item ? [i] : []));
    const rows =
      task.refill && usableIndices.length > 0
        ? prepared.map((item, i) => (item ? i : usableIndices[i % usableIndices.length]))
        : usableIndices;
    const bins = this.frontEnd.config.width;
    const columns = usableIndices.reduce((max, i) => Math.max(max, prepared[i]!.columns), 0);
    const batchFrames = this.frontEnd.padFrames(columns);
    const rung = roundUpToRung(Math.max(batchFrames, task.frames), task.rungs);
    const frames = this.frontEnd.padFrames(rung);
    const features = new Float32Array(rows.length * frames * bins).fill(this.frontEnd.config.pad_value);
    rows.forEach((item, row) => {
      features.set(prepared[item]!.features, row * frames * bins);
    });
    return {
      features,
      shape: [rows.length, frames, bins],
      lengths: Int32Array.from(rows, (item) => prepared[item]!.frames),
      batchFrames,
      rows,
      seconds: usableIndices.reduce((sum, i) => sum + prepared[i]!.seconds, 0),
      cacheHits: usableIndices.filter((i) => prepared[i]!.cached).length,
      cacheBytes: usableIndices.reduce((sum, i) => sum + prepared[i]!.bytesWritten, 0),
    };
  }
}

/** Silence on both sides of what is shorter, half each and the odd sample in front, as lhotse pads. */
function padBoth(samples: Float32Array, length: number): Float32Array {
  if (samples.length >= length || samples.length === 0) return samples;
  const padded = new Float32Array(length);
  padded.set(samples, Math.ceil((length - samples.length) / 2));
  return padded;
}
