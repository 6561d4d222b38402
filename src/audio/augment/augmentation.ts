// What a waveform augmentation is, and how its options are read. The perturbations themselves and the
// list of names lie beside this file.
import { AnemoneError, didYouMean } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';
import type { Portable } from '../portable.js';

/** Changes a waveform as a pure function of the random stream. */
export interface WaveformAugmentation extends Portable {
  /**
   * The waveform after the augmentation, a pure function of its arguments.
   * @param samples mono, full scale [-1, 1); not changed in place
   * @param sampleRate Hz
   * @param random the stream of this utterance, epoch and augmentation
   * @returns the changed waveform, perhaps of another length, or `samples` itself
   */
  apply(
    samples: Float32Array,
    sampleRate: number,
    random: CounterRandom,
  ): Float32Array | Promise<Float32Array>;
  /**
   * The factor by which `apply` will change the length, from the same stream, without doing it: batches are
   * planned with it. Absent: the length stays, or nearly so.
   */
  stretch?(random: CounterRandom): number;
  /**
   * Opens the files it needs, so that what is wrong with them shows before the first utterance. Absent: there are none.
   * @throws AnemoneError
   */
  open?(): void;
}

/** What an augmentation knows while its options are read. */
export interface AugmentationContext {
  /** Dotted path of the options in the configuration, for errors. */
  readonly path: string;
  /** Collects what is odd but harmless. */
  readonly warn: (message: string) => void;
}

/** Makes an augmentation from its options (everything but `prob`). */
export type AugmentationFactory = (
  options: Readonly<Record<string, unknown>>,
  context: AugmentationContext,
) => WaveformAugmentation;

/** Names to factories. */
export type AugmentationRegistry = ReadonlyMap<string, AugmentationFactory>;

/** Reads options one by one with defaults, then insists that none is left over. */
export class OptionReader {
  private readonly known = new Set<string>();

  constructor(
    private readonly options: Readonly<Record<string, unknown>>,
    private readonly context: AugmentationContext,
  ) {}

  /**
   * A finite number; `fallback` where the key is absent or null.
   * @throws AnemoneError `audio.augmentor`
   */
  number(key: string, fallback: number): number {
    const value = this.take(key);
    if (value === undefined || value === null) return fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.wrong(key, 'a number', value);
    return value;
  }

  /**
   * True or false; `fallback` where the key is absent or null.
   * @throws AnemoneError `audio.augmentor`
   */
  boolean(key: string, fallback: boolean): boolean {
    const value = this.take(key);
    if (value === undefined || value === null) return fallback;
    if (typeof value !== 'boolean') throw this.wrong(key, 'true or false', value);
    return value;
  }

  /**
   * A string; `fallback` where the key is absent or null.
   * @throws AnemoneError `audio.augmentor`
   */
  text(key: string, fallback: string): string {
    const value = this.take(key);
    if (value === undefined || value === null) return fallback;
    if (typeof value !== 'string') throw this.wrong(key, 'a word', value);
    return value;
  }

  /** `min_<name>` and `max_<name>` style pairs, in order. */
  range(lowKey: string, highKey: string, low: number, high: number): readonly [low: number, high: number] {
    const pair = [this.number(lowKey, low), this.number(highKey, high)] as const;
    if (pair[0] > pair[1]) throw this.fail(lowKey, `${pair[0]} is greater than ${highKey} ${pair[1]}`);
    return pair;
  }

  /** A string or list of strings; none is an error. */
  strings(key: string): string[] {
    const value = this.take(key);
    const list = typeof value === 'string' ? value.split(',').map((s) => s.trim()) : value;
    if (!Array.isArray(list) || list.length === 0 || list.some((v) => typeof v !== 'string')) {
      throw this.wrong(key, 'a path or a list of paths', value);
    }
    return list as string[];
  }

  /** Keys of NeMo that change nothing here; `why` is said when one is given. */
  ignore(keys: readonly string[], why?: string): void {
    for (const key of keys) {
      const value = this.take(key);
      if (why && value !== undefined && value !== null) {
        this.context.warn(`${this.context.path}.${key}: ${why}`);
      }
    }
  }

  /**
   * Called when all options are read.
   * @throws AnemoneError `audio.augmentor` for a key nobody asked for
   */
  finish(): void {
    for (const key of Object.keys(this.options)) {
      if (!this.known.has(key)) throw this.fail(key, 'unknown option', didYouMean(key, this.known));
    }
  }

  /** The error of an option that is wrong: code `audio.augmentor`, path down to the key. The caller throws it. */
  fail(key: string, message: string, hint?: string): AnemoneError {
    return new AnemoneError({ code: 'audio.augmentor', path: `${this.context.path}.${key}`, message, hint });
  }

  private take(key: string): unknown {
    this.known.add(key);
    return this.options[key];
  }

  private wrong(key: string, expected: string, value: unknown): AnemoneError {
    return this.fail(key, `expected ${expected}, found ${JSON.stringify(value) ?? 'nothing'}`);
  }
}

/** Uniform between two bounds by the stream's number `index`. */
export function uniformBetween(
  random: CounterRandom,
  index: number,
  [low, high]: readonly [number, number],
): number {
  return low + (high - low) * random.uniform(index);
}

/** Root mean square; a floor keeps silence from dividing by zero. */
export function rms(samples: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] * samples[i];
  return Math.sqrt(sum / Math.max(1, samples.length)) + 1e-10;
}

/** The samples times a factor. */
export function scaled(samples: Float32Array, factor: number): Float32Array {
  const out = new Float32Array(samples.length);
  for (let i = 0; i < out.length; i++) out[i] = samples[i] * factor;
  return out;
}

export const decibels = (db: number): number => 10 ** (db / 20);
