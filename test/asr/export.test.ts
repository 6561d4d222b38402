import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { TimeDelayEncoder } from '../../examples/custom-encoder/encoder.js';
import { encoderSubnet } from '../../src/asr/export/subnets.js';
import { EncDecCTCModel, EncDecHybridRNNTCTCModel, EncDecRNNTModel } from '../../src/asr/index.js';
import {
  checkExport,
  exportProgram,
  type HostTensor,
  int32,
  OnnxEngine,
  tf,
} from '../../src/engine/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { maxDifference, randomTensor } from '../nn/support.js';
import { tinyModel } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ctcDecoder = { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' };
const encoderSection = {
  _target_: 'nemo.collections.asr.modules.ConformerEncoder',
  feat_in: 16,
  n_layers: 1,
  d_model: 16,
  n_heads: 2,
  conv_kernel_size: 5,
  subsampling_conv_channels: 8,
};

/** Batch sizes and lengths, none of them traced; the first has one encoder frame, the rest odd remainders. */
const sizes: readonly (readonly number[])[] = [[3], [64], [38, 71, 7], [333], [50, 49, 48, 47, 46, 5]];

/** [B,T,F] → [B,F,T]. */
function swapped({ shape: [batch, rows, columns], data }: HostTensor): ort.Tensor {
  const out = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        out[(b * columns + c) * rows + r] = data[(b * rows + r) * columns + c];
      }
    }
  }
  return new ort.Tensor('float32', out, [batch, columns, rows]);
}

const asInt64 = (values: readonly number[]) =>
  new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);

const load = (file: string) =>
  ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });

const variants: readonly [string, Readonly<Record<string, unknown>>][] = [
  ['striding', { subsampling_factor: 4 }],
  ['dw_striding ×8', { subsampling: 'dw_striding', subsampling_factor: 8 }],
  ['vggnet', { subsampling: 'vggnet' }],
  ['stacking', { subsampling: 'stacking', subsampling_factor: 3 }],
  ['no subsampling', { subsampling_factor: 1 }],
  ['absolute positions', { self_attention_model: 'abs_pos' }],
  ['tied biases, no scaling', { n_layers: 2, untie_biases: false, xscaling: false, use_bias: false }],
  [
    'causal, layer norm, limited context',
    {
      conv_norm_type: 'layer_norm',
      conv_context_size: 'causal',
      causal_downsampling: true,
      att_context_size: [6, 0],
    },
  ],
  ['chunks', { att_context_size: [8, 3], att_context_style: 'chunked_limited' }],
  [
    'stacking_norm, several contexts',
    {
      subsampling: 'stacking_norm',
      subsampling_factor: 4,
      att_context_size: [[8, 3], [4, 1]], // biome-ignore format: short
      att_context_style: 'chunked_limited',
    },
  ],
  [
    'group norm, dw_striding, unmasked padding',
    { subsampling: 'dw_striding', nemo_compat: '1.x', conv_norm_type: 'group_norm4' },
  ],
  ['instance norm, projection', { conv_norm_type: 'instance_norm', feat_out: 10 }],
  ['fused batch norm, projection', { conv_norm_type: 'fused_batch_norm', feat_out: 10 }],
];

describe.each(variants)('a CTC model with %s', (name, changes) => {
  it('is one file that computes the same at all sizes', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const node = tinyModel({
      encoder: { ...encoderSection, ...changes },
      decoder: ctcDecoder,
      joint: undefined,
    });
    const model = EncDecCTCModel.fromConfig(node, { engine });
    const path = join(folder, `${name.replaceAll(/\W+/g, '-')}.onnx`);
    expect(await model.export(path, { maxFrames: 400, check: false })).toEqual([path]);
    const session = await load(path);
    const program = engine.compile('expected', ({ x, lengths }) => {
      const out = model.encoder.forward(x, lengths, evaluationPass);
      return { logprobs: model.decoder.forward(out.encoded, evaluationPass), lengths: tf.clone(out.lengths) };
    });
    for (const lengths of sizes) {
      const x = randomTensor([lengths.length, Math.max(...lengths), 16], lengths[0]);
      const expected = await program.run({ x, lengths: int32(lengths, [lengths.length]) });
      const out = await session.run({ audio_signal: swapped(x), length: asInt64(lengths) });
      expect(out['logprobs'].dims).toEqual(expected['logprobs'].shape);
      expect(maxDifference(out['logprobs'].data as Float32Array, expected['logprobs'].data)).toBeLessThan(
        1e-5,
      );
      const frames = Array.from(out['encoded_lengths'].data as BigInt64Array, Number);
      expect(frames).toEqual([...expected['lengths'].data]);
    }
    await engine.dispose();
  });
});

/** Greedy decoding as a program elsewhere would do it: one utterance, frame by frame. */
async function greedy(
  session: ort.InferenceSession,
  encoded: ort.Tensor,
  length: number,
  sizes: GreedySizes,
) {
  const { layers, width, blank } = sizes;
  const [, depth, frames] = encoded.dims;
  const zeros = () => new ort.Tensor('float32', new Float32Array(layers * width), [layers, 1, width]);
  let [hidden, cells]: ort.Tensor[] = [zeros(), zeros()];
  let last = blank;
  const tokens: number[] = [];
  for (let t = 0; t < length; t++) {
    const frame = Float32Array.from({ length: depth }, (_, d) => encoded.data[d * frames + t] as number);
    for (let symbols = 0; symbols < 10; symbols++) {
      const out = await session.run({
        encoder_outputs: new ort.Tensor('float32', frame, [1, depth, 1]),
        targets: new ort.Tensor('int32', [last], [1, 1]),
        target_length: new ort.Tensor('int32', [1], [1]),
        input_states_1: hidden,
        input_states_2: cells,
      });
      const scores = [...(out['outputs'].data as Float32Array)];
      const best = scores.indexOf(Math.max(...scores));
      if (best === blank) break;
      tokens.push(best);
      last = best;
      [hidden, cells] = [out['output_states_1'], out['output_states_2']];
    }
  }
  return tokens;
}

interface GreedySizes {
  readonly layers: number;
  readonly width: number;
  readonly blank: number;
}

describe.each([
  ['RNN-T', EncDecRNNTModel, {}],
  ['hybrid', EncDecHybridRNNTCTCModel, { aux_ctc: { decoder: ctcDecoder } }],
] as const)('a %s model', (name, modelClass, changes) => {
  const node = tinyModel({
    ...changes,
    decoder: {
      _target_: 'nemo.collections.asr.modules.RNNTDecoder',
      prednet: { pred_hidden: 12, pred_rnn_layers: 2 },
    },
  });

  it('is an encoder and a decoder_joint that decode as the model does', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const model = modelClass.fromConfig(node, { engine, seed: 3 });
    // Untrained, it hardly says anything; a bias against blank makes it talk.
    const bias = [...model.parameters()].find((p) => p.name === 'joint.joint_net.1.bias');
    if (bias) await engine.write(bias, Float32Array.from([0, 0, 0, 0, -0.4]));
    const files = await model.export(join(folder, `${name}.onnx`), { maxFrames: 400 });
    expect(files.map((file) => basename(file))).toEqual([
      `encoder-${name}.onnx`,
      `decoder_joint-${name}.onnx`,
    ]);
    const [encoder, decoder] = await Promise.all(files.map(load));
    for (const length of [5, 90, 161]) {
      const x = randomTensor([1, length, 16], length);
      const lengths = int32([length], [1]);
      const recognised = await model
        .recognizer(engine)
        .recognize({ features: x, featureLengths: lengths }, false);
      const out = await encoder.run({ audio_signal: swapped(x), length: asInt64([length]) });
      const frames = Number(out['encoded_lengths'].data[0]);
      const sizes = { layers: 2, width: 12, blank: 4 };
      const tokens = await greedy(decoder, out['outputs'], frames, sizes);
      expect(tokens.length).toBeGreaterThan(0);
      expect(tokens).toEqual(recognised.hypotheses[0].tokens);
    }
    await engine.dispose();
  });

  it('scores whole lattices with decoder_joint as in training', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const model = modelClass.fromConfig(node, { engine, seed: 4 });
    const [, file] = await model.export(join(folder, `lattice-${name}.onnx`), {
      maxFrames: 400,
      check: false,
    });
    const session = await load(file);
    const program = engine.compile('lattice', ({ encoded, targets }) => {
      const prediction = model.joint.projectPrediction(model.decoder.forward(targets, evaluationPass));
      const frames = model.joint.projectEncoder(encoded);
      const logits = model.joint.logits(tf.expandDims(frames, 2), tf.expandDims(prediction, 1));
      return { outputs: tf.logSoftmax(logits) };
    });
    const encoded = randomTensor([2, 7, 16], 9);
    const { outputs } = await program.run({ encoded, targets: int32([0, 2, 1, 3, 0, 1], [2, 3]) });
    const zeros = () => new ort.Tensor('float32', new Float32Array(2 * 2 * 12), [2, 2, 12]);
    const out = await session.run({
      encoder_outputs: swapped(encoded),
      // Blank where the training side puts a zero vector in.
      targets: new ort.Tensor('int32', [4, 0, 2, 1, 4, 3, 0, 1], [2, 4]),
      target_length: new ort.Tensor('int32', [4, 4], [2]),
      input_states_1: zeros(),
      input_states_2: zeros(),
    });
    expect(out['outputs'].dims).toEqual([2, 7, 4, 5]);
    expect(maxDifference(out['outputs'].data as Float32Array, outputs.data)).toBeLessThan(1e-5);
    expect([...(out['prednet_lengths'].data as Int32Array)]).toEqual([4, 4]);
    await engine.dispose();
  });
});

it('exports the CTC branch of a hybrid model when asked, and nothing under another ending', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const model = EncDecHybridRNNTCTCModel.fromConfig(tinyModel({ aux_ctc: { decoder: ctcDecoder } }), {
    engine,
  });
  const path = join(folder, 'branch.onnx');
  expect(await model.export(path, { decoder: 'ctc', maxFrames: 50, check: false })).toEqual([path]);
  const session = await load(path);
  expect(session.outputNames).toEqual(['logprobs', 'encoded_lengths']);
  const run = (frames: number) =>
    session.run({ audio_signal: swapped(randomTensor([1, frames, 16], 1)), length: asInt64([frames]) });
  expect((await run(200))['logprobs'].dims).toEqual([1, 50, 5]);
  expect((await run(1316))['logprobs'].dims).toEqual([1, 329, 5]);
  await expect(run(1321)).rejects.toThrow();
  await expect(model.export(join(folder, 'model.pt'))).rejects.toThrow(/must end in \.onnx/);
  expect(readdirSync(folder).filter((name) => /tmp|\.pt/.test(name))).toEqual([]);
  await engine.dispose();
});

it("exports a user's own encoder, which knows nothing of export", async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const encoder = new TimeDelayEncoder({ feat_in: 16, width: 8, stacking: 3, dilations: [1, 2], dropout: 0 });
  const { spec, samples } = encoderSubnet({ encoder, features: 16, maxFrames: 100 });
  const full = { ...spec, read: engine.read.bind(engine) };
  await checkExport(await exportProgram(full), full, engine, samples);
  await engine.dispose();
});
