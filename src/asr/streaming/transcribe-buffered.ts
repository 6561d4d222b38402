// Transcription of recordings of any length: each is read block by block into a buffered recogniser.
import { audioBlocks } from '../../audio/index.js';
import { faultOf, inputName, type TranscriptionInput } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { requireList } from '../models/transcribe.js';
import type { Transcript } from '../models/transcript.js';
import { BufferedRecognizer, type BufferOptions } from './buffered.js';
import type { StreamingParts } from './streaming-recognizer.js';

export interface BufferedTranscription extends BufferOptions {
  readonly engine: Engine;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onBad?: (index: number, message: string) => void;
}

/** Results in the order of `audio`. @throws AnemoneError `asr.bad-audio` without `onBad`, `streaming.buffer` */
export async function transcribeBuffered(
  parts: StreamingParts,
  audio: readonly TranscriptionInput[],
  { engine, onBad, onProgress, ...options }: BufferedTranscription,
): Promise<Transcript[]> {
  requireList(audio);
  const recognizer = new BufferedRecognizer(engine, parts, options);
  const transcripts: Transcript[] = [];
  for (const [index, input] of audio.entries()) {
    try {
      transcripts.push(
        await recognizer.transcribe(transcriptionBlocks(input, parts.frontEnd.config.sample_rate)),
      );
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
): AsyncIterable<Float32Array> | Iterable<Float32Array> {
  const fault = faultOf(input);
  if (fault !== undefined) throw new AnemoneError({ code: 'audio.no-audio', message: fault });
  if (input instanceof Float32Array) return [input];
  const { audioPath, ...segment } = typeof input === 'string' ? { audioPath: input } : input;
  return audioBlocks(audioPath, { ...segment, targetSampleRate: rate });
}
