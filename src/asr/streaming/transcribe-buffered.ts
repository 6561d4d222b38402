// Transcription of recordings of any length: each is read block by block into a buffered recogniser.
import { audioBlocks, type Resampler } from '../../audio/index.js';
import { faultOf, inputName, type TranscriptionInput } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { requireList } from '../transcription/transcribe.js';
import type { Transcript } from '../transcription/transcript.js';
import { BufferedRecognizer, type BufferOptions } from './buffered.js';
import { type Prompt, perPrompt } from './per-prompt.js';
import type { StreamingParts } from './streaming-recognizer.js';

export interface BufferedTranscription extends BufferOptions {
  readonly engine: Engine;
  /** For recordings that have none of their own. */
  readonly prompt?: Prompt | undefined;
  /** For recordings of another rate. Default `best`. */
  readonly resampler?: Resampler | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onBad?: ((index: number, message: string) => void) | undefined;
}

/**
 * Results in the order of `audio`.
 * @param partsOf the model's parts, told a prompt
 * @throws AnemoneError `asr.bad-audio` without `onBad`, `streaming.buffer`
 */
export async function transcribeBuffered(
  partsOf: (prompt: Prompt | undefined) => StreamingParts,
  audio: readonly TranscriptionInput[],
  { engine, onBad, onProgress, prompt, resampler, ...options }: BufferedTranscription,
): Promise<Transcript[]> {
  requireList(audio);
  const recognizerOf = perPrompt(
    prompt,
    (ownPrompt) => new BufferedRecognizer(engine, partsOf(ownPrompt), options),
  );
  const transcripts: Transcript[] = [];
  for (const [index, input] of audio.entries()) {
    try {
      const recognizer = recognizerOf(input);
      const blocks = transcriptionBlocks(input, recognizer.sampleRate, resampler);
      transcripts.push(await recognizer.transcribe(blocks));
    } catch (cause) {
      // What is wrong with this recording need not end the others; anything else does.
      if (!(cause instanceof AnemoneError) || !cause.code.startsWith('audio.')) throw cause;
      const message = cause.position ? cause.message : `${inputName(input, index)}: ${cause.message}`;
      if (!onBad) throw new AnemoneError({ code: 'asr.bad-audio', message, cause });
      onBad(index, message);
      transcripts.push({ text: '', tokens: [], score: 0 });
    }
    onProgress?.(index + 1, audio.length);
  }
  return transcripts;
}

/** Mono blocks of an input at `rate`, as they are needed. */
export function transcriptionBlocks(
  input: TranscriptionInput,
  rate: number,
  resampler?: Resampler,
): AsyncIterable<Float32Array> | Iterable<Float32Array> {
  const fault = faultOf(input);
  if (fault !== undefined) throw new AnemoneError({ code: 'audio.no-audio', message: fault });
  if (input instanceof Float32Array) return [input];
  const { audioPath, ...segment } = typeof input === 'string' ? { audioPath: input } : input;
  return audioBlocks(audioPath, { ...segment, targetSampleRate: rate, resampler });
}
