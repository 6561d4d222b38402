// A multitask model as ONNX files, run through ONNX Runtime's public interface: against NeMo's numbers, the model's own
// training pass, and what its greedy search finds.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EncDecMultiTaskModel, restoreModel } from '../../../src/asr/index.js';
import { float32, type HostTensor, int32, OnnxEngine, type Program, tf } from '../../../src/engine/index.js';
import { fileSource, readSafetensors, tensorToFloat32 } from '../../../src/formats/index.js';
import { evaluationPass } from '../../../src/nn/index.js';
import { maxDifference, randomTensor } from '../../nn/support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-export-attention-'));
const fixtures = join(import.meta.dirname, '../../fixtures/nemo');
const facts = JSON.parse(readFileSync(join(fixtures, 'multitask.json'), 'utf8')) as {
  readonly ids: readonly number[];
  readonly prompts: readonly [Record<string, string>, number[]][];
  readonly hypotheses: Readonly<Record<string, readonly { readonly tokens: readonly number[] }[][]>>;
};
let engine: OnnxEngine;
let model: EncDecMultiTaskModel;
let encoder: ort.InferenceSession;
let decoder: ort.InferenceSession;
let program: Program;
let vocabulary: number;
beforeAll(async () => {
  engine = new OnnxEngine({ threads: 1 });
  model = (await restoreModel(join(fixtures, 'multitask.nemo'), { engine })) as EncDecMultiTaskModel;
  const files = await model.export(join(folder, 'm.onnx'), { maxFrames: 400 });
  expect(files.map((file) => basename(file))).toEqual(['encoder-m.onnx', 'decoder-m.onnx']);
  [encoder, decoder] = await Promise.all(files.map(load));
  vocabulary = model.tokenizer.vocabSize;
  program = engine.compile('attention', ({ ids, idLengths, ...inputs }) => {
    const memory = model.memory(inputs, evaluationPass);
    const logProbs = model.logProbs(ids, idLengths, memory, evaluationPass);
    return { states: tf.clone(memory.states), logProbs };
  });
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true });
});

const load = (file: string) =>
  ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });

const asInt64 = (values: Iterable<number>, dims: readonly number[]) =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), dims);

const wave = (index: number, length: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i ** (1.3 + 0.05 * index) / 40) * 0.3);

/** [L,B,P,d] of the fixture's decoder. */
const mems = (batch: number, past = 0, data = new Float32Array(2 * batch * past * 12)) =>
  new ort.Tensor('float32', data, [2, batch, past, 12]);

/** [B,T,F] → [B,F,T]. */
function swapped({ shape: [batch, rows, columns], data }: HostTensor): ort.Tensor {
  const out = new Float32Array(data.length);
  data.forEach((value, i) => {
    const [b, r, c] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    out[(b * columns + c) * rows + r] = value;
  });
  return new ort.Tensor('float32', out, [batch, columns, rows]);
}

const largestOf = (values: ArrayLike<number>) =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);

/** Relative to the largest, for the fixture's numbers are large. */
function difference(found: ort.Tensor, wanted: ArrayLike<number>): number {
  return maxDifference(found.data as Float32Array, wanted) / largestOf(wanted);
}

it('has the names of NeMo', () => {
  expect(encoder.inputNames).toEqual(['audio_signal', 'length']);
  expect(encoder.outputNames).toEqual(['encoder_embeddings', 'encoder_mask', 'encoded_lengths']);
  expect(decoder.inputNames).toEqual(['input_ids', 'encoder_embeddings', 'encoder_mask', 'decoder_mems']);
  expect(decoder.outputNames).toEqual(['logits', 'decoder_hidden_states']);
});

it('computes what NeMo computes', async () => {
  const source = await fileSource(join(fixtures, 'multitask.safetensors'));
  const { tensors } = await readSafetensors(source);
  await source.close();
  const golden = (name: string) => tensorToFloat32(tensors.get(name) as never);
  const signal = new ort.Tensor('float32', golden('processed_signal'), [1, 16, 61]);
  const out = await encoder.run({ audio_signal: signal, length: asInt64([60], [1]) });
  expect(out['encoder_embeddings'].dims).toEqual([1, 16, 12]);
  expect([...(out['encoder_mask'].data as BigInt64Array)].join('')).toEqual('1111111111111110');
  expect(difference(out['encoder_embeddings'], golden('encoder_states'))).toBeLessThan(1e-4);
  const { logits } = await decoder.run({
    input_ids: asInt64(facts.ids.slice(0, -1), [1, 8]),
    encoder_embeddings: out['encoder_embeddings'],
    encoder_mask: out['encoder_mask'],
    decoder_mems: mems(1),
  });
  expect(logits.dims).toEqual([1, 8, 72]);
  expect(difference(logits, golden('log_softmax.outputs'))).toBeLessThan(1e-4);
});

/** Sizes that are not traced: frames of each utterance, tokens of each row. */
const sizes: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[3], [1]],
  [[64], [7]],
  [[38, 71, 7], [5, 2, 9]], // biome-ignore format: short
  [[50, 49, 333], [48, 1, 30]], // biome-ignore format: short
];

it.each(sizes)('computes what the model computes: frames %j, tokens %j', async (frames, tokens) => {
  const [batch, time, width] = [frames.length, Math.max(...frames), Math.max(...tokens)];
  const features = randomTensor([batch, time, 16], time);
  const ids = Int32Array.from({ length: batch * width }, (_, i) => (5 * i + 3) % 70);
  const expected = await program.run({
    features,
    featureLengths: int32([...frames], [batch]),
    ids: int32(ids, [batch, width]),
    idLengths: int32([...tokens], [batch]),
  });
  const out = await encoder.run({ audio_signal: swapped(features), length: asInt64(frames, [batch]) });
  const { encoder_embeddings, encoder_mask } = out;
  expect(encoder_embeddings.dims).toEqual(expected['states'].shape);
  expect(difference(encoder_embeddings, expected['states'].data)).toBeLessThan(1e-4);
  const given = { encoder_embeddings, encoder_mask };
  const whole = await decoder.run({
    ...given,
    input_ids: asInt64(ids, [batch, width]),
    decoder_mems: mems(batch),
  });
  // Padding at the end of a row is of no consequence for what is before it.
  const rows = (values: ArrayLike<number>) =>
    tokens.flatMap((count, b) => Array.from({ length: count * 72 }, (_, i) => values[b * width * 72 + i]));
  const worst = maxDifference(rows(whole['logits'].data as Float32Array), rows(expected['logProbs'].data));
  expect(worst / largestOf(expected['logProbs'].data)).toBeLessThan(1e-4);

  // Cut in two, the second part knows the first by its mems alone.
  if (width < 2) return;
  const cut = Math.ceil(width / 3);
  const part = (from: number, to: number) =>
    asInt64(ids.filter((_, i) => i % width >= from && i % width < to), [batch, to - from]); // biome-ignore format: one line reads better
  const first = await decoder.run({ ...given, input_ids: part(0, cut), decoder_mems: mems(batch) });
  expect(first['decoder_hidden_states'].dims).toEqual([2, batch, cut, 12]);
  const second = await decoder.run({
    ...given,
    input_ids: part(cut, width),
    decoder_mems: first['decoder_hidden_states'],
  });
  const tail = Float32Array.from(whole['logits'].data as Float32Array).filter(
    (_, i) => i % (width * 72) >= cut * 72,
  );
  expect(difference(second['logits'], tail)).toBeLessThan(1e-5);
  expect(difference(second['decoder_hidden_states'], whole['decoder_hidden_states'].data as Float32Array)).toBeLessThan(1e-5); // biome-ignore format: one line reads better
});

describe('greedy search over the two files', () => {
  it('finds the tokens that NeMo finds', async () => {
    for (const [index, [slots]] of facts.prompts.entries()) {
      const { features, frames } = model.preprocessor.frontEnd.compute(wave(index, 2400 + 960 * index));
      const tokens = await greedy(features, frames, model.promptIds(slots), 8);
      expect(tokens).toEqual(facts.hypotheses['greedy'][index][0].tokens);
    }
  });

  it('finds the tokens that transcribe() finds', async () => {
    model.changeDecoding({ strategy: 'greedy' });
    const prompt = { source_lang: 'de', target_lang: 'de', pnc: 'no' };
    // Of more than a second: shorter ones are padded to one by transcribe().
    const waves = [wave(2, 17_000), wave(3, 19_555)];
    const transcripts = await model.transcribe(waves, { prompt });
    for (const [i, { tokens }] of transcripts.entries()) {
      const { features, frames } = model.preprocessor.frontEnd.compute(waves[i]);
      const found = await greedy(features, frames, model.promptIds(prompt), undefined);
      expect(found.length).toBeGreaterThan(5);
      expect(model.tokenizer.idsToTokens(found)).toEqual(tokens.map(({ token }) => token));
    }
  });
});

/** As another program would: the prompt first, then a token at a time. features [T,F] */
async function greedy(
  features: Float32Array,
  frames: number,
  prompt: readonly number[],
  delta: number | undefined,
) {
  const signal = swapped(float32(features, [1, frames, 16]));
  const { encoder_embeddings, encoder_mask, encoded_lengths } = await encoder.run({
    audio_signal: signal,
    length: asInt64([frames], [1]),
  });
  const most = delta === undefined ? 48 : Number(encoded_lengths.data[0]) + delta;
  const tokens = [...prompt];
  let ids = [...prompt];
  let memory: ort.Tensor = mems(1);
  while (tokens.length < most) {
    const { logits, decoder_hidden_states } = await decoder.run({
      input_ids: asInt64(ids, [1, ids.length]),
      encoder_embeddings,
      encoder_mask,
      decoder_mems: memory,
    });
    memory = decoder_hidden_states;
    const last = Array.from(logits.data as Float32Array)
      .slice((ids.length - 1) * 72)
      .slice(0, vocabulary);
    const best = last.indexOf(Math.max(...last));
    if (best === 3) break;
    tokens.push(best);
    ids = [best];
  }
  return tokens.slice(prompt.length);
}

it('refuses more tokens than the decoder has positions for', async () => {
  const run = (count: number) =>
    decoder.run({
      input_ids: asInt64(new Array(count).fill(5), [1, count]),
      encoder_embeddings: new ort.Tensor('float32', new Float32Array(24), [1, 2, 12]),
      encoder_mask: asInt64([1, 1], [1, 2]),
      decoder_mems: mems(1, 40),
    });
  expect((await run(8))['logits'].dims).toEqual([1, 8, 72]);
  await expect(run(9)).rejects.toThrow(/bounds/);
});

it('says in the files what a program must know to prompt and to stop', () => {
  const file = readFileSync(join(folder, 'decoder-m.onnx')).toString('latin1');
  for (const text of [
    'prompt_ids',
    JSON.stringify(model.promptIds()),
    'eos_id',
    'max_sequence_length',
    'prompt_format',
  ]) {
    expect(file).toContain(text);
  }
  expect(file).not.toContain('blank_id');
});
