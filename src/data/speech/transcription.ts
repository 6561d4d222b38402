// The source of batches for transcribing.
import { availableParallelism } from 'node:os';
import type { ChannelSelector, FrontEnd, Resampler } from '../../audio/index.js';
import { asText } from '../../errors/index.js';
import { badSample } from '../../formats/index.js';
import { inspectAll } from './check/inspect-all.js';
import { SpeechDataset, type Utterance } from './dataset.js';
import { type SpeechBatch, SpeechSource } from './loader.js';

/** A file, a segment of one, or a mono waveform in [-1, 1). */
export type TranscriptionInput =
  | string
  | Float32Array
  | {
      readonly audioPath: string;
      readonly offset?: number | undefined;
      readonly duration?: number | undefined;
      /** For multitask models: what to write of it (source_lang, target_lang, task, pnc, …). */
      readonly prompt?: Readonly<Record<string, string>> | undefined;
    };

/** How recordings are decoded and put into batches. */
export interface TranscriptionOptions {
  readonly frontEnd: FrontEnd;
  readonly channelSelector?: ChannelSelector;
  /** For recordings of another rate. Default `best`. */
  readonly resampler?: Resampler | undefined;
  /** Hz of waveforms given in memory. Default: the preprocessor's. */
  readonly sampleRate?: number;
  /** Utterances a batch. Default 16. */
  readonly batchSize?: number;
  /** Seconds of padded audio a batch; long recordings then make smaller batches. Default 240. */
  readonly batchDuration?: number;
  /** Shorter recordings get silence on both sides. Default: none. */
  readonly shortestSeconds?: number;
  /** Worker threads; 0 is the main thread. Default: half the cores, none for a handful of inputs. */
  readonly workers?: number | undefined;
}

/** So few inputs are done before a thread has started. */
const HANDFUL = 8;

/** Lengths that batches are padded to, at most: each is compiled. */
const MOST_BUCKETS = 12;

/**
 * Upper bounds in seconds of the buckets: the longest utterance of each batch or, of many batches, of each group of
 * neighbours, so that no bucket leaves utterances over for the next.
 * @param seconds ascending
 */
export function bucketBounds(seconds: readonly number[], batchSize: number, batchDuration: number): number[] {
  const ends: number[] = [];
  for (let from = 0, i = 1; i <= seconds.length; i++) {
    const size = i - from;
    const isFull = size === batchSize || (size + 1) * seconds[i] > batchDuration;
    if (!isFull && i < seconds.length) continue;
    ends.push(seconds[i - 1]);
    from = i;
  }
  const group = Math.ceil(ends.length / MOST_BUCKETS);
  return ends.filter((_, i) => (i + 1) % group === 0 || i === ends.length - 1);
}

/** Looks at all inputs and plans their batches. */
export async function openTranscriptionSource(
  inputs: readonly TranscriptionInput[],
  options: TranscriptionOptions,
): Promise<TranscriptionSource> {
  const { sample_rate } = options.frontEnd.config;
  const rate = options.sampleRate ?? sample_rate;
  const shortest = options.shortestSeconds ?? 0;
  const failures = new Map<number, string>();
  inputs.forEach((givenInput, input) => {
    const fault = faultOf(givenInput);
    if (fault !== undefined) failures.set(input, `${inputName(givenInput, input)}: ${fault}`);
  });
  const inspections = await inspectAll(
    inputs.flatMap((input, i) =>
      failures.has(i) || input instanceof Float32Array ? [] : fileOf(input).audioPath,
    ),
    { workers: options.workers },
  );
  const foundUtterances: { input: number; utterance: Utterance }[] = [];
  inputs.forEach((givenInput, input) => {
    if (failures.has(input)) return;
    if (givenInput instanceof Float32Array) {
      const ref = { index: 0, path: `waveform ${input}`, offset: 0, samples: givenInput, sampleRate: rate };
      foundUtterances.push({
        input,
        utterance: utterance(ref, Math.max(givenInput.length / rate, shortest)),
      });
      return;
    }
    const { audioPath: path, offset = 0, duration } = fileOf(givenInput);
    const inspection = inspections.get(path);
    if (inspection?.error) {
      failures.set(input, inspection.error.message);
      return;
    }
    // What is asked for is a claim; the recording decides. A FLAC from a pipe does not say how long it is; its batch
    // grows when it is read.
    const rest = Math.max(0, (inspection?.duration ?? 0) - offset);
    const seconds = Math.max(Math.min(rest, duration ?? Number.POSITIVE_INFINITY), shortest);
    foundUtterances.push({ input, utterance: utterance({ index: 0, path, offset, duration }, seconds) });
  });
  foundUtterances.sort((a, b) => a.utterance.seconds - b.utterance.seconds || a.input - b.input);
  // As in NeMo, what is transcribed is not padded to a multiple.
  const frontEnd = options.frontEnd.withoutPadding();
  // The first bad input is the one that is told first.
  const inOrder = new Map([...failures].sort(([a], [b]) => a - b));
  return new TranscriptionSource(foundUtterances, inOrder, inputs.length, { ...options, frontEnd });
}

/** What is wrong with an input that is no recording; the types say so too, but not to everybody. */
export function faultOf(input: unknown): string | undefined {
  if (input instanceof Float32Array) {
    if (input.length === 0) return '0 samples are too few';
    const badIndex = badSample(input);
    return badIndex < 0 ? undefined : `sample ${badIndex} is ${input[badIndex]}, which is no audio`;
  }
  if (typeof input === 'string') return input === '' ? 'the path is empty' : undefined;
  const { audioPath, offset, duration } = (input ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof audioPath !== 'string' || audioPath === '') {
    return `expected a path, { audioPath } or a Float32Array, got ${kindOf(input)}`;
  }
  if (offset !== undefined && !(Number.isFinite(offset) && (offset as number) >= 0)) {
    return `offset is ${asText(offset)}; it must be at least 0 seconds`;
  }
  if (duration !== undefined && !(Number.isFinite(duration) && (duration as number) > 0)) {
    return `duration is ${asText(duration)}; it must be more than 0 seconds`;
  }
  return undefined;
}

/** What messages call the input at this place, where it has no path. */
export function inputName(input: unknown, index: number): string {
  return `${input instanceof Float32Array ? 'waveform' : 'input'} ${index}`;
}

function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === undefined || value === null ? String(value) : `a ${typeof value}`; // biome-ignore format: one line reads better
  return value.constructor === Object ? 'an object without audioPath' : `a value of type ${value.constructor?.name}`; // biome-ignore format: one line reads better
}

function fileOf(input: Exclude<TranscriptionInput, Float32Array>) {
  return typeof input === 'string' ? { audioPath: input } : input;
}

function utterance(ref: Utterance['ref'], seconds: number): Utterance {
  return { ref, name: ref.path, origin: ref.path, text: '', seconds };
}

/**
 * Batches for transcribing: any mix of files, segments and waveforms, sorted by length so that little is padding.
 * Rows name their input, so that results can be put back in order; inputs that cannot be used do not stop the
 * others.
 */
export class TranscriptionSource {
  private readonly source: SpeechSource | undefined;
  private readonly inputs: readonly number[];

  constructor(
    foundUtterances: readonly { readonly input: number; readonly utterance: Utterance }[],
    private readonly failed: Map<number, string>,
    /** Number of inputs. */
    readonly total: number,
    options: TranscriptionOptions,
  ) {
    this.inputs = foundUtterances.map(({ input }) => input);
    if (foundUtterances.length === 0) return;
    const { batchSize = 16, batchDuration = 240 } = options;
    const workers =
      options.workers ?? (foundUtterances.length <= HANDFUL ? 0 : Math.max(1, availableParallelism() >> 1));
    this.source = new SpeechSource({
      name: 'transcription',
      dataset: new SpeechDataset(
        foundUtterances.map(({ utterance: u }, index) => ({ ...u, ref: { ...u.ref, index } })),
        foundUtterances.map(() => []),
        options.frontEnd,
      ),
      batching: {
        batch_duration: batchDuration,
        max_batch_size: batchSize,
        shuffle: false,
        bucketing_strategy: 'fixed_order',
        bucket_duration_bins: bucketBounds(
          foundUtterances.map((entry) => entry.utterance.seconds),
          batchSize,
          batchDuration,
        ),
      },
      pipeline: {
        frontEnd: options.frontEnd,
        channelSelector: options.channelSelector,
        resampler: options.resampler,
        shortestSeconds: options.shortestSeconds,
        training: false,
        seed: 0,
      },
      loader: { workers, onBadAudio: 'skip', givesUp: false },
      onBad: ({ index, name, message }) => {
        // Most messages name the file themselves, which is all the origin there is.
        const rest = message.replace(`${name}: `, '');
        this.failed.set(this.inputs[index], rest.includes(name) ? rest : message);
      },
    });
  }

  /** Batches from short to long; `indices` are positions in the inputs. */
  async *batches(): AsyncGenerator<SpeechBatch, void, undefined> {
    if (!this.source) return;
    for await (const batch of this.source.epoch(0)) {
      yield { ...batch, indices: batch.indices.map((index) => this.inputs[index]) };
    }
  }

  /** Inputs that could not be used so far, and why; complete after the last batch. */
  failures(): ReadonlyMap<number, string> {
    return this.failed;
  }

  /** Ends worker threads; rows that were not taken are lost. */
  async close(): Promise<void> {
    await this.source?.close();
  }
}
