// From audio to text with a trained model: decodes and featurises files, batches them by length so that
// little is padding, restores the order.
import { decodeAudio } from '../../audio/index.js';
import type { Engine, HostTensors } from '../../engine/index.js';
import type { TimestampType } from '../decoding/shared-config.js';
import type { Recognizer, SpeechModel } from './speech-model.js';
import { type Transcript, TranscriptMaker, type TranscriptSettings } from './transcript.js';

export interface TranscribeOptions {
  /** Where the weights are. Default: the engine the model was made with. */
  readonly engine?: Engine;
  /** Default 8. */
  readonly batchSize?: number;
  /** Timestamps of characters, words, segments or all of them (`true`); default as `decoding` says. */
  readonly timestamps?: boolean | TimestampType;
  /** Called after each batch with the number of utterances done. */
  readonly onProgress?: (done: number, total: number) => void;
}

interface Item {
  readonly index: number;
  readonly features: Float32Array;
  readonly frames: number;
}

/** Frame counts are rounded up to this many, so that few shapes are compiled. */
const frameStep = 64;

export async function transcribeAudio(
  model: SpeechModel,
  recognizer: Recognizer,
  audio: readonly (string | Float32Array)[],
  settings: TranscriptSettings,
  options: TranscribeOptions,
): Promise<Transcript[]> {
  const maker = new TranscriptMaker(model.tokenizer, model.frameSeconds, {
    ...settings,
    ...(options.timestamps !== undefined && { timestamps: timestampsOf(options.timestamps) }),
  });
  const items: Item[] = [];
  for (const [index, source] of audio.entries()) items.push(await featurise(model, source, index));
  items.sort((a, b) => b.frames - a.frames);
  const batchSize = options.batchSize ?? 8;
  const transcripts = new Array<Transcript>(audio.length);
  for (let from = 0; from < items.length; from += batchSize) {
    const batch = items.slice(from, from + batchSize);
    const { hypotheses } = await recognizer.recognize(collate(model, batch), false);
    batch.forEach((item, i) => {
      transcripts[item.index] = maker.transcript(hypotheses[i]);
    });
    options.onProgress?.(from + batch.length, items.length);
  }
  return transcripts;
}

async function featurise(model: SpeechModel, source: string | Float32Array, index: number): Promise<Item> {
  const { frontEnd } = model.preprocessor;
  const samples =
    typeof source === 'string'
      ? (await decodeAudio(source, { targetSampleRate: frontEnd.config.sample_rate })).samples
      : source;
  const { features, frames } = frontEnd.compute(samples);
  return { index, features, frames };
}

function collate(model: SpeechModel, items: readonly Item[]): HostTensors {
  const bins = model.preprocessor.frontEnd.config.features;
  const longest = items.reduce((most, item) => Math.max(most, item.frames), 1);
  const frames = Math.ceil(longest / frameStep) * frameStep;
  const features = new Float32Array(items.length * frames * bins);
  items.forEach((item, i) => {
    features.set(item.features.subarray(0, item.frames * bins), i * frames * bins);
  });
  return {
    features: { dtype: 'float32', shape: [items.length, frames, bins], data: features },
    featureLengths: {
      dtype: 'int32',
      shape: [items.length],
      data: Int32Array.from(items, (item) => item.frames),
    },
  };
}

function timestampsOf(wanted: boolean | TimestampType): TimestampType | undefined {
  if (typeof wanted === 'string') return wanted;
  return wanted ? 'all' : undefined;
}
