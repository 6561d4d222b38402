// `anemone transcribe --streaming`: recordings as if they were being spoken, with what is known so far on stderr.
import type { Prompt, SpeechModel, StreamingRecognizer, Transcript } from '../asr/index.js';
import type { Resampler } from '../audio/index.js';
import type { TranscriptionInput } from '../data/index.js';

/** Called for what changed: the seconds heard, and the text known by then. */
export type OnPartial = (seconds: number, text: string) => void;

export interface StreamOptions {
  readonly onPartial: OnPartial;
  readonly onBad: (index: number, message: string) => void;
  /** For recordings that have none of their own. */
  readonly prompt?: Prompt | undefined;
  readonly resampler?: Resampler | undefined;
}

/** Transcribes recordings chunk by chunk; `undefined` for those that `onBad` was told of. */
export async function streamRecordings(
  model: SpeechModel,
  inputs: readonly TranscriptionInput[],
  { onPartial, onBad, prompt: givenPrompt, resampler }: StreamOptions,
): Promise<(Transcript | undefined)[]> {
  const { AnemoneError } = await import('../errors/index.js');
  const { perPrompt } = await import('../asr/index.js');
  const recognizerOf = perPrompt(givenPrompt, (prompt) => model.stream({ prompt }));
  const rate = model.preprocessor.frontEnd.config.sample_rate;
  const transcripts: (Transcript | undefined)[] = [];
  for (const [index, input] of inputs.entries()) {
    try {
      transcripts.push(await streamRecording(recognizerOf(input), input, { rate, resampler }, onPartial));
    } catch (error) {
      if (!(error instanceof AnemoneError) || !error.code.startsWith('audio.')) throw error;
      onBad(index, error.message);
      transcripts.push(undefined);
    }
  }
  return transcripts;
}

async function streamRecording(
  recognizer: StreamingRecognizer,
  input: TranscriptionInput,
  { rate, resampler }: { readonly rate: number; readonly resampler?: Resampler | undefined },
  onPartial: OnPartial,
): Promise<Transcript> {
  const { transcriptionBlocks } = await import('../asr/index.js');
  const stream = recognizer.open();
  const step = Math.round(recognizer.chunkSeconds * rate);
  let heardSamples = 0;
  let knownText = '';
  for await (const block of transcriptionBlocks(input, rate, resampler)) {
    for (let at = 0; at < block.length; at += step) {
      const samples = block.subarray(at, at + step);
      const { text } = await stream.push(samples);
      heardSamples += samples.length / rate;
      if (text !== knownText) onPartial(heardSamples, text);
      knownText = text;
    }
  }
  return stream.finish();
}
