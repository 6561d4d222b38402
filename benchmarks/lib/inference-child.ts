// Anemone's side of inference.ts: the model's own `transcribe` on all waveforms, over and over.
import { readFileSync } from 'node:fs';
import { OnnxEngine } from '../../src/engine/index.js';
import { serve } from './answer.js';
import { calibrateBlank } from './calibrate.js';
import { type Sizes, transducer } from './model.js';

export interface InferenceSizes extends Sizes {
  /** File of all waveforms one after another, float32. */
  readonly waveforms: string;
  /** Samples of each. */
  readonly lengths: readonly number[];
  /** Share of the encoder's frames that should emit a token. */
  readonly share: number;
}

const sizes = JSON.parse(process.argv[2]) as InferenceSizes;
const bytes = readFileSync(sizes.waveforms);
const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
let at = 0;
const waveforms = sizes.lengths.map((length) => {
  at += length;
  return all.slice(at - length, at);
});
const engine = new OnnxEngine({ threads: sizes.threads });
const model = transducer(sizes, engine, { decoding: { greedy: { max_symbols: 1 } } });

/** Transcribes and counts what came out, and the encoder's frames (its stride is 4 features of 10 ms). */
async function transcribe(audio: readonly Float32Array[]): Promise<{ tokens: number; frames: number }> {
  const transcripts = await model.transcribe(audio, { batchSize: sizes.batch });
  return {
    tokens: transcripts.reduce((sum, { tokens }) => sum + tokens.length, 0),
    frames: audio.reduce((sum, { length }) => sum + Math.ceil(Math.floor(length / 160) / 4), 0),
  };
}

const few = waveforms.slice(0, sizes.batch);
await calibrateBlank(engine, model, sizes.share, async () => {
  const { tokens, frames } = await transcribe(few);
  return tokens / frames;
});
const parameters = [...model.module.parameters()].reduce((sum, p) => sum + p.size, 0);
await serve({ parameters, ...(await transcribe(waveforms)) }, async () => {
  await transcribe(waveforms);
  return {};
});
await engine.dispose();
