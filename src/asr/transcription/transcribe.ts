// From audio to text with a trained model: batches come featurised from the data folder's worker threads, from
// short to long; results go back into the order of the inputs.
import { openTranscriptionSource, type SpeechBatch, type TranscriptionInput } from '../../data/index.js';
import type { HostTensors } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Tokenizer } from '../../text/index.js';
import type { TimestampType } from '../decoding/shared-config.js';
import type { Preprocessor } from '../encoders/front-end.js';
import type { Recognizer } from '../recognition/recognizer.js';
import { encoderInputs } from '../recognition/speech-inputs.js';
import type { TranscribeOptions } from './options.js';
import { type Transcript, TranscriptMaker, type TranscriptOptions } from './transcript.js';

/** What transcription needs of a model. */
export interface TranscribingModel {
  readonly tokenizer: Tokenizer;
  readonly preprocessor: Preprocessor;
  /** Seconds between two encoder frames. */
  readonly frameSeconds: number;
  /** Silence is put on both sides of shorter recordings. */
  readonly shortestSeconds: number;
}

/** Frame counts are rounded up to this many, so that further calls need few new programs. */
const FRAME_STEP = 32;

/** @throws AnemoneError `asr.bad-audio` without `onBad` */
export async function transcribeAudio(
  model: TranscribingModel,
  recognizer: Recognizer,
  audio: readonly TranscriptionInput[],
  transcriptOptions: TranscriptOptions,
  options: TranscribeOptions,
  rowInputs: (rows: readonly TranscriptionInput[]) => HostTensors = () => ({}),
): Promise<Transcript[]> {
  const { batchSize = 8, workers, resampler } = options;
  const { frontEnd } = model.preprocessor;
  requireList(audio);
  const maker = transcriptMaker(model, transcriptOptions, options);
  const source = await openTranscriptionSource(audio, {
    frontEnd,
    batchSize,
    workers,
    resampler,
    shortestSeconds: model.shortestSeconds,
  });
  const transcripts = Array.from(audio, (): Transcript => ({ text: '', tokens: [], score: 0 }));
  const toldInputs = new Set<number>();
  const tellBad = () => {
    for (const [index, message] of source.failures()) {
      if (toldInputs.has(index)) continue;
      toldInputs.add(index);
      if (!options.onBad) throw new AnemoneError({ code: 'asr.bad-audio', message });
      options.onBad(index, message);
    }
  };
  try {
    tellBad();
    let done = toldInputs.size;
    for await (const batch of source.batches()) {
      const rows = batch.indices.map((index) => audio[index]);
      const inputs = { ...rounded(batch, model.preprocessor.frontEnd.config.pad_value), ...rowInputs(rows) };
      const { hypotheses } = await recognizer.recognize(inputs, false);
      batch.indices.forEach((index, row) => {
        transcripts[index] = maker.transcript(hypotheses[row]);
      });
      done += batch.size;
      options.onProgress?.(done, audio.length);
      tellBad();
    }
    tellBad();
  } finally {
    await source.close();
  }
  return transcripts;
}

/** Of one recording, too. @throws AnemoneError `asr.bad-audio` */
export function requireList(audio: readonly TranscriptionInput[]): void {
  if (Array.isArray(audio)) return;
  throw new AnemoneError({
    code: 'asr.bad-audio',
    message: 'expected a list of recordings',
    hint: "one recording is a list of one: transcribe(['a.wav'])",
  });
}

/** With the timestamps that the options ask for. */
export function transcriptMaker(
  model: Pick<TranscribingModel, 'tokenizer' | 'frameSeconds'>,
  transcriptOptions: TranscriptOptions,
  { timestamps }: Pick<TranscribeOptions, 'timestamps'> = {},
): TranscriptMaker {
  return new TranscriptMaker(model.tokenizer, model.frameSeconds, {
    ...transcriptOptions,
    ...(timestamps !== undefined && { timestamps: timestampsOf(timestamps) }),
  });
}

/** Features [B,T,F] with T rounded up. */
function rounded({ inputs }: SpeechBatch, fill: number): HostTensors {
  const { features } = inputs;
  const [size, frames, bins] = features.shape;
  const wantedFrames = Math.ceil(frames / FRAME_STEP) * FRAME_STEP;
  const data = new Float32Array(size * wantedFrames * bins).fill(fill);
  for (let row = 0; row < size; row++) {
    const from = row * frames * bins;
    data.set(features.data.subarray(from, from + frames * bins) as Float32Array, row * wantedFrames * bins);
  }
  return encoderInputs({
    ...inputs,
    features: { dtype: 'float32', shape: [size, wantedFrames, bins], data },
  });
}

function timestampsOf(wantedTypes: boolean | TimestampType): TimestampType | undefined {
  if (typeof wantedTypes === 'string') return wantedTypes;
  return wantedTypes ? 'all' : undefined;
}
