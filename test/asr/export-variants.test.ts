// Every transducer as ONNX files: a plain loop over them, as a program elsewhere would write it from the files and
// their metadata alone, finds what the model finds. Encoders that export.test.ts does not have.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { EncDecCTCModel, EncDecRNNTModel, outputLayout } from '../../src/asr/index.js';
import { type Engine, type HostTensor, int32, OnnxEngine } from '../../src/engine/index.js';
import { randomTensor } from '../nn/support.js';
import { tinyModel } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-export-variants-'));
afterAll(() => rmSync(folder, { recursive: true }));

const jointnet = { joint_hidden: 16, activation: 'relu', dropout: 0 };
const joint = (extra: number) => ({
  _target_: 'nemo.collections.asr.modules.RNNTJoint',
  jointnet,
  num_extra_outputs: extra,
});
const stateless = (context: number) => ({
  decoder: {
    _target_: 'nemo.collections.asr.modules.StatelessTransducerDecoder',
    context_size: context,
    normalization_mode: 'layer',
    prednet: { pred_hidden: 16, pred_rnn_layers: 1, dropout: 0 },
  },
});
const greedy = { max_symbols: 3 };
const durations = [0, 1, 2, 4];
const tdt = {
  joint: joint(4),
  loss: { loss_name: 'tdt', tdt_kwargs: { durations } },
  decoding: { model_type: 'tdt', durations, greedy },
};
const multiblank = {
  joint: joint(2),
  loss: { loss_name: 'multiblank_rnnt', multiblank_rnnt_kwargs: { big_blank_durations: [2, 4] } },
  decoding: { model_type: 'multiblank', big_blank_durations: [2, 4], greedy },
};
const hat = { joint: { _target_: 'nemo.collections.asr.modules.HATJoint', jointnet }, decoding: { greedy } };

/** [1,T,F] → [1,F,T]. */
function swapped({ shape: [, rows, columns], data }: HostTensor): ort.Tensor {
  const out = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]);
  return new ort.Tensor('float32', out, [1, columns, rows]);
}

const load = (file: string) =>
  ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });

/** Reads the metadata as other programs do, for onnxruntime-node has no access to it. */
interface Meta {
  readonly transducer: string;
  readonly blank: number;
  readonly durations: readonly number[];
}

async function decode(session: ort.InferenceSession, encoded: ort.Tensor, length: number, meta: Meta) {
  const [, depth, frames] = encoded.dims;
  const states = session.inputNames.filter((name) => name.startsWith('input_states'));
  let state: Record<string, ort.Tensor> = Object.fromEntries(
    states.map((name) => {
      const at = session.inputNames.indexOf(name);
      const { shape } = session.inputMetadata[at] as unknown as { shape: (number | string)[] };
      const dims = shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1));
      return [name, new ort.Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b)), dims)];
    }),
  );
  const tokens: number[] = [];
  let last = meta.blank;
  let symbols = 0;
  for (let t = 0; t < length; ) {
    const frame = Float32Array.from({ length: depth }, (_, d) => encoded.data[d * frames + t] as number);
    const out = await session.run({
      encoder_outputs: new ort.Tensor('float32', frame, [1, depth, 1]),
      targets: new ort.Tensor('int32', [last], [1, 1]),
      target_length: new ort.Tensor('int32', [1], [1]),
      ...state,
    });
    const scores = [...(out['outputs'].data as Float32Array)];
    const ofTokens = scores.slice(0, meta.blank + 1);
    const best = ofTokens.indexOf(Math.max(...ofTokens));
    const bigBlanks = meta.transducer === 'multiblank' ? meta.durations.length : 0;
    const isToken = best < meta.blank - bigBlanks;
    let skip = isToken ? 0 : 1;
    if (meta.transducer === 'tdt') {
      const rest = scores.slice(meta.blank + 1);
      skip = Math.max(meta.durations[rest.indexOf(Math.max(...rest))], isToken ? 0 : 1);
    } else if (!isToken && best < meta.blank) skip = meta.durations[meta.blank - 1 - best];
    if (isToken) {
      tokens.push(best);
      last = best;
      state = Object.fromEntries(states.map((name) => [name, out[name.replace('input', 'output')]]));
      symbols++;
      if (skip === 0 && symbols === 3) skip = 1;
    }
    if (skip > 0) symbols = 0;
    t += skip;
  }
  return tokens;
}

/** Untrained, models hardly speak; biases that leave it to the input make them talk and stop. */
async function unbias(engine: Engine, model: EncDecRNNTModel): Promise<void> {
  const { blank } = outputLayout(model.variant, 4);
  for (const state of model.stateDict().values()) {
    if (state.name === 'joint.joint_net.1.bias') {
      const bias = Float32Array.from({ length: state.shape[0] }, (_, k) => (k < 4 ? 0.3 - 0.05 * k : 0.1));
      if (blank < bias.length) bias[blank] = 0.2;
      await engine.write(state, bias);
    }
    if (state.name === 'joint.blank_pred.2.bias') await engine.write(state, Float32Array.of(-2.2));
  }
}

describe.each([
  ['TDT', tdt],
  ['TDT, stateless', { ...tdt, ...stateless(2) }],
  ['RNN-T, stateless', { ...stateless(1), decoding: { greedy } }],
  ['multi-blank', multiblank],
  ['multi-blank, stateless', { ...multiblank, ...stateless(3) }],
  ['HAT', hat],
] as const)('%s', (name, changes) => {
  it('decodes from its files as the model does', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const model = EncDecRNNTModel.fromConfig(tinyModel(changes), { engine, seed: 5 });
    await unbias(engine, model);
    const { variant } = model;
    const files = await model.export(join(folder, `${name.replaceAll(/\W+/g, '-')}.onnx`), {
      maxFrames: 300,
    });
    const [encoder, decoder] = await Promise.all(files.map(load));
    const meta = {
      transducer: variant.kind,
      blank: outputLayout(variant, 4).blank,
      durations: variant.kind === 'rnnt' ? [] : variant.durations,
    };
    let said = 0;
    for (const length of [5, 90, 161]) {
      const x = randomTensor([1, length, 16], length);
      const inputs = { features: x, featureLengths: int32([length], [1]) };
      const recognised = await model.recognizer(engine).recognize(inputs, false);
      const out = await encoder.run({
        audio_signal: swapped(x),
        length: new ort.Tensor('int64', BigInt64Array.of(BigInt(length)), [1]),
      });
      const frames = Number(out['encoded_lengths'].data[0]);
      expect(await decode(decoder, out['outputs'], frames, meta)).toEqual(recognised.hypotheses[0].tokens);
      said += recognised.hypotheses[0].tokens.length;
    }
    expect(said).toBeGreaterThan(5);
    await engine.dispose();
  });
});

it('gives tokens and durations of TDT as two distributions', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const model = EncDecRNNTModel.fromConfig(tinyModel(tdt), { engine, seed: 5 });
  const [, file] = await model.export(join(folder, 'two.onnx'), { maxFrames: 300, check: false });
  const session = await load(file);
  const zeros = () => new ort.Tensor('float32', new Float32Array(2 * 16), [1, 2, 16]);
  const { outputs } = await session.run({
    encoder_outputs: swappedBatch(2, 16, 7),
    targets: new ort.Tensor('int32', [4, 1, 2, 4, 0, 3], [2, 3]),
    target_length: new ort.Tensor('int32', [3, 3], [2]),
    input_states_1: zeros(),
    input_states_2: zeros(),
  });
  expect(outputs.dims).toEqual([2, 7, 3, 9]);
  const data = outputs.data as Float32Array;
  const mass = (from: number, to: number) => data.slice(from, to).reduce((sum, x) => sum + Math.exp(x), 0);
  for (const row of [0, 11, 41]) {
    expect(mass(9 * row, 9 * row + 5)).toBeCloseTo(1, 5);
    expect(mass(9 * row + 5, 9 * row + 9)).toBeCloseTo(1, 5);
  }
  await engine.dispose();
});

function swappedBatch(...shape: [number, number, number]): ort.Tensor {
  return new ort.Tensor('float32', randomTensor(shape, 2).data as Float32Array, shape);
}

const block = (more: object) => ({
  filters: 8,
  repeat: 1,
  kernel: [5],
  stride: [1],
  dilation: [1],
  dropout: 0,
  residual: false,
  separable: true,
  ...more,
});
const convolutional = {
  _target_: 'nemo.collections.asr.modules.ConvASREncoder',
  feat_in: 16,
  activation: 'relu',
  conv_mask: true,
  jasper: [
    block({ stride: [2] }),
    block({ repeat: 2, residual: true, se: true, se_context_size: -1 }),
    block({ kernel: [1], separable: false, filters: 12 }),
  ],
};
const squeezeformer = {
  _target_: 'nemo.collections.asr.modules.SqueezeformerEncoder',
  feat_in: 16,
  n_layers: 4,
  d_model: 16,
  n_heads: 2,
  conv_kernel_size: 5,
  subsampling: 'dw_striding',
  subsampling_factor: 4,
  subsampling_conv_channels: 8,
  time_reduce_idx: 1,
};
const local = {
  ...(tinyModel() as unknown as { encoder: object }).encoder,
  self_attention_model: 'rel_pos_local_attn',
  att_context_size: [8, 8],
};

it.each([
  ['ConvASREncoder', convolutional],
  ['SqueezeformerEncoder', squeezeformer],
  ['local attention', local],
])('exports %s, which its check finds equal at other sizes', async (name, encoder) => {
  const engine = new OnnxEngine({ threads: 1 });
  const decoder = { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' };
  const model = EncDecCTCModel.fromConfig(tinyModel({ encoder, decoder, joint: undefined }), { engine });
  const [file] = await model.export(join(folder, `${name.replaceAll(/\W/g, '')}.onnx`), { maxFrames: 400 });
  expect((await load(file)).outputNames).toEqual(['logprobs', 'encoded_lengths']);
  await engine.dispose();
});

it('puts weights that do not fit beside the model', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const model = EncDecRNNTModel.fromConfig(tinyModel(), { engine, seed: 5 });
  const own = join(folder, 'external');
  const files = await model.export(join(own, 'm.onnx'), { maxFrames: 300, externalFrom: 5000 });
  expect(files.map((file) => basename(file))).toEqual([
    'encoder-m.onnx',
    'encoder-m.onnx.data',
    'decoder_joint-m.onnx',
    'decoder_joint-m.onnx.data',
  ]);
  expect(readdirSync(own).sort()).toEqual(files.map((file) => basename(file)).sort());
  // Weights start at whole pages; a 16 × 64 matrix of the LSTM is the first of the second file.
  expect(statSync(files[3]).size % 4096).toBe(0);
  expect(statSync(files[0]).size).toBeLessThan(
    statSync((await model.export(join(own, 'n.onnx'), { maxFrames: 300 }))[0]).size,
  );
  const feeds = {
    audio_signal: swapped(randomTensor([1, 70, 16], 1)),
    length: new ort.Tensor('int64', [70n], [1]),
  };
  const [split, whole] = await Promise.all(
    [files[0], join(own, 'encoder-n.onnx')].map(async (file) => {
      const { outputs } = await (await load(file)).run(feeds);
      return [...(outputs.data as Float32Array)];
    }),
  );
  expect(split).toEqual(whole);
  // Without its data a model cannot be opened: nothing of them is in it.
  rmSync(files[1]);
  await expect(load(files[0])).rejects.toThrow(/encoder-m.onnx.data|external/i);
  await engine.dispose();
});
