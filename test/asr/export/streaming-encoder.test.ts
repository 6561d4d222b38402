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
import { inWindows, readMetadata } from './support.js';

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
