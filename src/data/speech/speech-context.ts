// What a data source of speech is given by the model it is opened for, and the way from recordings and transcripts to
// batches for those who have examples in hand.
import type { FrontEnd } from '../../audio/index.js';
import type { HostTensors } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { BatchSource, DataSource, SourceContext } from '../../model/index.js';
import { type BatchPlace, batchesOf, type ExampleSourceOptions, type Examples } from '../examples.js';
import { batchInputs } from './batch-inputs.js';
import { roundUp, TOKEN_MULTIPLE } from './batching/rungs.js';
import type { Utterance } from './dataset.js';
import { encodeUtterances, type SpeechLabels } from './labels.js';
import type { OpenSourceOptions } from './open-speech.js';
import { UtterancePipeline } from './pipeline/utterance-pipeline.js';

/** A recording with its transcript. */
export interface SpeechExample {
  /** A recording: a path, or a mono waveform in [-1, 1]. */
  readonly audio: string | Float32Array;
  /** Hz of a waveform. Default: the front end's. */
  readonly sampleRate?: number;
  /** Of a file: seconds at which the utterance begins. Default 0. */
  readonly offset?: number;
  /** Of a file: its seconds. Default: to the end. */
  readonly duration?: number;
  readonly text: string;
  /** Language of the text, for tokenizers of several languages. */
  readonly lang?: string;
  /** What else a manifest's line would say, for models with prompts. */
  readonly custom?: Readonly<Record<string, string>>;
}

/** How examples are cut into batches; see `batchesOf`. */
export type SpeechBatchOptions = Pick<
  ExampleSourceOptions<SpeechExample>,
  'batchSize' | 'shuffle' | 'examplesInEpoch' | 'dropLast'
>;

/** What a speech model gives the data sources of its config. */
export interface SpeechContext extends SourceContext {
  /** Makes features of waveforms. */
  readonly frontEnd: FrontEnd;
  /** How transcripts become targets. @param langField key of the manifest that says the language. Default `lang` */
  labels(langField?: string): SpeechLabels;
  /** What else the pipeline of recordings is made of, in training. */
  readonly pipeline: Pick<OpenSourceOptions, 'specAugment' | 'augmentations'>;
  /**
   * `Batch.inputs` of the model: features, in training with dither and masks, and targets. Lengths are rounded up so that
   * few shapes are compiled. It works in the main thread.
   * @throws AnemoneError `data.bad-audio`, and what the tokenizer says of a transcript
   */
  collate(examples: readonly SpeechExample[], place: BatchPlace): Promise<HostTensors>;
  /** Cuts a list of examples, or what can be iterated, into batches; in training a list is shuffled. */
  batchesOf(examples: Examples<SpeechExample>, options: SpeechBatchOptions): BatchSource;
}

/** A data source of speech: `train_ds: {_target_: MySource, …}`. */
export type SpeechDataSource = DataSource<SpeechContext>;

/** What a speech model knows of a data section of its own. */
export type SpeechContextOptions = Pick<SpeechContext, 'frontEnd' | 'labels' | 'pipeline'> & SourceContext;

/** What a model gives the source of one of its data sections. */
export function speechContext(options: SpeechContextOptions): SpeechContext {
  const { name, training, seed, log, frontEnd, labels, pipeline } = options;
  let features: UtterancePipeline | undefined;
  const collate: SpeechContext['collate'] = async (examples, { epoch, first }) => {
    const { specAugment } = pipeline;
    features ??= new UtterancePipeline({
      ...{ frontEnd, training, seed },
      specAugment: specAugment ?? undefined,
    });
    const utterances = examples.map((example, i) => utteranceOf(example, first + i, name));
    const givenLabels = labels();
    const { encoded, promptTokens, promptIndices } = encodeUtterances(utterances, givenLabels);
    const items = utterances.map(({ ref }) => ref);
    const madeBatch = await features.batch({
      ...{ items, epoch, frames: 0, rungs: [], refill: false, cacheWrite: false },
    });
    const [failure] = madeBatch.failures;
    if (failure) {
      const { name: path } = utterances[failure.item] as Utterance;
      throw new AnemoneError({ code: 'data.bad-audio', path: name, message: `${path}: ${failure.message}` });
    }
    const longest = Math.max(1, ...encoded.map((ids) => ids.length));
    const width = roundUp(longest, TOKEN_MULTIPLE);
    const { padId } = givenLabels;
    return batchInputs(madeBatch, { ids: encoded, width, padId, promptLengths: promptTokens, promptIndices });
  };
  const { hop, sample_rate: rate } = frontEnd.config;
  return {
    ...{ name, training, seed, log, frontEnd, labels, pipeline, collate },
    batchesOf: (examples, batches) =>
      batchesOf(examples, {
        ...{ name, seed, collate, shuffle: training && Array.isArray(examples), ...batches },
        names: { example: 'utt', unit: 'audio-s' },
        unitsOfBatch: ({ featureLengths }) => (sum(featureLengths?.data ?? []) * hop) / rate,
        nameOf: ({ audio, offset = 0 }) =>
          typeof audio !== 'string' ? undefined : offset > 0 ? `${audio} at ${offset} s` : audio,
        textOf: ({ text }) => text,
      }),
  };
}

function utteranceOf(example: SpeechExample, index: number, source: string): Utterance {
  const { audio, sampleRate, offset = 0, duration, text, lang, custom } = example;
  const path = typeof audio === 'string' ? audio : `${source} ${index}`;
  const wave = typeof audio === 'string' ? {} : { samples: audio, sampleRate };
  return {
    ref: { index, path, offset, duration, ...wave },
    name: path,
    origin: path,
    text,
    ...(lang !== undefined && { lang }),
    ...(custom && { custom }),
    seconds: duration ?? 0,
  };
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, x) => total + x, 0);
}
