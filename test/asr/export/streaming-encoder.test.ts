// Encoders for streams as files: run window by window with their own caches, they give what the encoder computes of the
// whole utterance, and the model's log-probabilities.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, expect, it } from 'vitest';
import { EncDecCTCModel } from '../../../src/asr/index.js';
import { float32, int32, OnnxEngine } from '../../../src/engine/index.js';
import { evaluationPass } from '../../../src/nn/index.js';
import { maxDifference, randomTensor } from '../../nn/support.js';
import { tinyModel } from '../support.js';
import { readMetadata } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-export-streaming-'));
afterAll(() => rmSync(folder, { recursive: true }));

const decoder = { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' };
const { preprocessor, encoder: plain } = tinyModel() as unknown as Record<string, object>;
const noStatistics = { ...preprocessor, normalize: 'NA' };
const streamable = (changes: object) => ({
  ...plain,
  n_layers: 2,
  causal_downsampling: true,
  conv_context_size: 'causal',
  conv_norm_type: 'layer_norm',
  ...changes,
});

const load = (file: string) =>
  ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });
const int64 = (values: readonly number[]) =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
const zeros = (dims: readonly number[]) =>
  new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
const numbers = (tensor: ort.Tensor) => Array.from(tensor.data as BigInt64Array, Number);

/** What a program of another language does with the file: rows of features [T,F] of utterances that begin together. */
async function inWindows(
  session: ort.InferenceSession,
  metadata: Readonly<Record<string, string>>,
  utterances: readonly Float32Array[],
  bins: number,
): Promise<number[][]> {
  const batch = utterances.length;
  const dims = (name: string) => [1, 2, 3].map((i) => Number(metadata[`${name}_dim${i}`]));
  let channel: ort.Tensor = zeros([batch, ...dims('cache_last_channel')]);
  let time: ort.Tensor = zeros([batch, ...dims('cache_last_time')]);
  let known: ort.Tensor = int64(utterances.map(() => 0));
  const found: number[][] = utterances.map(() => []);
  const most = Math.max(...utterances.map(({ length }) => length / bins));
  const [usual, first, shift] = ['window_size', 'first_window_size', 'chunk_shift'].map((key) =>
    Number(metadata[key]),
  );
  // `end` is where a window ends; before the stream there is nothing, so that the first ones are shorter.
  for (let end = first; end - first < most + usual; end += shift) {
    const from = Math.max(0, end - usual);
    const size = end - from;
    const signal = new Float32Array(batch * bins * size);
    const lengths = utterances.map((features, b) => {
      const there = Math.max(0, Math.min(features.length / bins - from, size));
      for (let t = 0; t < there; t++) {
        for (let f = 0; f < bins; f++) signal[(b * bins + f) * size + t] = features[(from + t) * bins + f];
      }
      return there;
    });
    const out = await session.run({
      audio_signal: new ort.Tensor('float32', signal, [batch, bins, size]),
      length: int64(lengths),
      cache_last_channel: channel,
      cache_last_time: time,
      cache_last_channel_len: known,
    });
    const [main] = session.outputNames;
    const { dims: shape, data } = out[main];
    numbers(out['encoded_lengths']).forEach((count, b) => {
      const [, rows, columns] = main === 'outputs' ? [0, shape[2], shape[1]] : shape;
      for (let t = 0; t < count; t++) {
        for (let c = 0; c < columns; c++) {
          const at = main === 'outputs' ? (b * columns + c) * rows + t : (b * rows + t) * columns + c;
          found[b].push((data as Float32Array)[at]);
        }
      }
    });
    channel = out['cache_last_channel_next'];
    time = out['cache_last_time_next'];
    known = out['cache_last_channel_next_len'];
  }
  return found;
}

it.each([
  [
    'chunks with a look ahead',
    {
      subsampling: 'dw_striding',
      subsampling_factor: 8,
      att_context_size: [6, 2],
      att_context_style: 'chunked_limited',
    },
  ],
  ['a frame at a time', { att_context_size: [5, 0], feat_out: 10 }],
  ['all of the past', { att_context_size: [-1, 0], subsampling: 'striding_conv1d' }],
  [
    'a context of each layer, computed twice',
    { att_context_size: [4, 1], conv_context_size: [3, 1], n_layers: 1 },
  ],
  ['stacked frames', { att_context_size: [6, 0], subsampling: 'stacking', subsampling_factor: 3 }],
  ['no subsampling', { att_context_size: [4, 0], subsampling_factor: 1, conv_norm_type: 'batch_norm' }],
] as const)('%s', async (name, changes) => {
  const engine = new OnnxEngine({ threads: 1 });
  const encoder = streamable(changes);
  const node = tinyModel({ encoder, decoder, joint: undefined, preprocessor: noStatistics });
  const model = EncDecCTCModel.fromConfig(node, { engine });
  const path = join(folder, `${name.replaceAll(/\W+/g, '-')}.onnx`);
  expect(await model.export(path, { streaming: true, maxFrames: 300 })).toEqual([path]);
  const session = await load(path);
  const program = engine.compile(name, ({ x, lengths }) => {
    const { encoded } = model.encoder.forward(x, lengths, evaluationPass);
    return { logprobs: model.decoder.forward(encoded, evaluationPass) };
  });
  const lengths = [97, 61, 3];
  const rows = lengths.map((length, i) => randomTensor([length, 16], i).data as Float32Array);
  const found = await inWindows(session, readMetadata(path), rows, 16);
  for (const [b, length] of lengths.entries()) {
    const x = float32(rows[b], [1, length, 16]);
    const { logprobs } = await program.run({ x, lengths: int32([length], [1]) });
    expect(found[b].length).toBe(logprobs.data.length);
    expect(maxDifference(found[b], logprobs.data)).toBeLessThan(2e-5);
  }
  await session.release();
  await engine.dispose();
});
