// Anemone's side of inference.ts: the model's own `transcribe` on all waveforms, over and over.
import { readFileSync } from 'node:fs';
import { OnnxEngine } from '../../src/engine/index.js';
import { serve } from './answer.js';
import { type Sizes, transducer } from './model.js';

export interface InferenceSizes extends Sizes {
  /** File of all waveforms one after another, float32. */
  readonly waveforms: string;
  /** Samples of each. */
  readonly lengths: readonly number[];
  /** Share of the encoder's frames that should emit a token. */
  readonly share: number;
}

const CALIBRATION_STEPS = 12;

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

/** Sets the bias of blank so that about this share of the frames emits a token. */
async function calibrate(share: number): Promise<void> {
  const bias = [...model.joint.parameters()].find(({ shape }) => shape.join() === `${sizes.vocabulary + 1}`);
  if (!bias) throw new Error('the joint has no output bias');
  const value = bias.initialValue();
  const few = waveforms.slice(0, sizes.batch);
  let low = -10;
  let high = 10;
  for (let step = 0; step < CALIBRATION_STEPS; step++) {
    const middle = (low + high) / 2;
    value[sizes.vocabulary] = middle;
    await engine.write(bias, value);
    const { tokens, frames } = await transcribe(few);
    if (tokens > share * frames) low = middle;
    else high = middle;
  }
}

await calibrate(sizes.share);
const parameters = [...model.module.parameters()].reduce((sum, p) => sum + p.size, 0);
await serve({ parameters, ...(await transcribe(waveforms)) }, async () => {
  await transcribe(waveforms);
  return {};
});
await engine.dispose();
