// Files for sherpa-onnx: names, order and shapes of inputs and outputs, metadata and tokens are what its C++ code reads,
// and its loop over them finds what the model finds.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { EncDecCTCModel, EncDecHybridRNNTCTCModel, EncDecRNNTModel } from '../../../src/asr/index.js';
import { type Engine, int32, OnnxEngine } from '../../../src/engine/index.js';
import { randomTensor } from '../../nn/support.js';
import { tinyModel } from '../support.js';
import { readMetadata } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'anemone-export-sherpa-'));
afterAll(() => rmSync(root, { recursive: true }));
const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

const ctc = { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' };
const { preprocessor, encoder } = tinyModel() as unknown as Record<string, object>;
const jointnet = { joint_hidden: 16, activation: 'relu', dropout: 0 };
const tdt = (durations: readonly number[]) => ({
  joint: {
    _target_: 'nemo.collections.asr.modules.RNNTJoint',
    jointnet,
    num_extra_outputs: durations.length,
  },
  loss: { loss_name: 'tdt', tdt_kwargs: { durations } },
  decoding: { model_type: 'tdt', durations, greedy: { max_symbols: 5 } },
});
const streamable = {
  preprocessor: { ...preprocessor, normalize: 'NA' },
  encoder: {
    ...encoder,
    n_layers: 2,
    conv_context_size: 'causal',
    conv_norm_type: 'layer_norm',
    causal_downsampling: true,
    att_context_style: 'chunked_limited',
    att_context_size: [[6, 2], [4, 1]], // biome-ignore format: short
  },
};

const load = (file: string) =>
  ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });
const shapeOf = (values: readonly ort.InferenceSession.ValueMetadata[], at: number) =>
  (values[at] as unknown as { readonly shape: readonly (number | string)[] }).shape;

describe('a CTC model', () => {
  it('has the entries that sherpa-onnx reads in its ordinary file too', async () => {
    const model = EncDecCTCModel.fromConfig(tinyModel({ decoder: ctc, joint: undefined }), { engine });
    const path = join(root, 'plain.onnx');
    expect(await model.export(path, { maxFrames: 50 })).toEqual([path]);
    expect(readMetadata(path)).toMatchObject({
      vocab_size: '5',
      subsampling_factor: '4',
      normalize_type: 'per_feature',
      model_type: 'EncDecCTCModelBPE',
      feat_dim: '16',
    });
    expect(existsSync(join(root, 'tokens.txt'))).toBe(false);
  });

  it('becomes model.onnx and tokens.txt', async () => {
    const model = EncDecHybridRNNTCTCModel.fromConfig(tinyModel({ aux_ctc: { decoder: ctc } }), { engine });
    const folder = join(root, 'ctc');
    const files = await model.export(folder, { for: 'sherpa', decoder: 'ctc', maxFrames: 50 });
    expect(files.map((file) => basename(file))).toEqual(['model.onnx', 'tokens.txt']);
    expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'tokens.txt']);
    expect(readFileSync(join(folder, 'tokens.txt'), 'utf8')).toBe('a 0\nb 1\nc 2\n  3\n<blk> 4\n');
    expect(readMetadata(files[0])).toMatchObject({
      vocab_size: '5',
      model_type: 'EncDecHybridRNNTCTCBPEModel',
    });
    const session = await load(files[0]);
    expect(session.inputNames).toEqual(['audio_signal', 'length']);
    expect(session.outputNames[0]).toBe('logprobs');
  });

  it('for streams has the sizes of its windows and caches', async () => {
    const model = EncDecCTCModel.fromConfig(tinyModel({ ...streamable, decoder: ctc, joint: undefined }), {
      engine,
    });
    const [file] = await model.export(join(root, 'ctc-stream'), {
      for: 'sherpa',
      streaming: { attContextSize: [4, 1] },
    });
    const before = 1 + 4 * (2 - 1);
    expect(readMetadata(file)).toMatchObject({
      vocab_size: '4',
      window_size: String(2 * 4 + before),
      chunk_shift: '8',
      subsampling_factor: '4',
      normalize_type: '',
      cache_last_channel_dim1: '2',
      cache_last_channel_dim2: '4',
      cache_last_channel_dim3: '16',
      cache_last_time_dim1: '2',
      cache_last_time_dim2: '16',
      cache_last_time_dim3: '4',
    });
    const session = await load(file);
    expect(session.inputNames).toEqual([
      'audio_signal',
      'length',
      'cache_last_channel',
      'cache_last_time',
      'cache_last_channel_len',
    ]);
    expect(session.outputNames).toEqual([
      'logprobs',
      'encoded_lengths',
      'cache_last_channel_next',
      'cache_last_time_next',
      'cache_last_channel_next_len',
    ]);
  });
});

interface Parts {
  readonly encoder: ort.InferenceSession;
  readonly decoder: ort.InferenceSession;
  readonly joiner: ort.InferenceSession;
}

/** sherpa-onnx's greedy search: states are run ahead with each token, and a duration is its index. */
async function search(parts: Parts, encoded: ort.Tensor, metadata: Readonly<Record<string, string>>) {
  const [layers, width, vocabulary] = ['pred_rnn_layers', 'pred_hidden', 'vocab_size'].map((key) =>
    Number(metadata[key]),
  );
  const { inputNames, outputNames } = parts.decoder;
  let states: ort.Tensor[] = [0, 1].map(
    () => new ort.Tensor('float32', new Float32Array(layers * width), [layers, 1, width]),
  );
  const predict = async (token: number): Promise<ort.Tensor> => {
    const out = await parts.decoder.run({
      [inputNames[0]]: new ort.Tensor('int32', [token], [1, 1]),
      [inputNames[1]]: new ort.Tensor('int32', [1], [1]),
      [inputNames[2]]: states[0],
      [inputNames[3]]: states[1],
    });
    states = [out[outputNames[2]], out[outputNames[3]]];
    return out[outputNames[0]];
  };
  const isTdt = metadata['url'].includes('tdt');
  const [, depth, frames] = encoded.dims;
  const tokens: number[] = [];
  let prediction = await predict(vocabulary);
  for (let t = 0, symbols = 0; t < frames; ) {
    const frame = Float32Array.from({ length: depth }, (_, d) => encoded.data[d * frames + t] as number);
    const out = await parts.joiner.run({
      [parts.joiner.inputNames[0]]: new ort.Tensor('float32', frame, [1, depth, 1]),
      [parts.joiner.inputNames[1]]: prediction,
    });
    const scores = [...(out[parts.joiner.outputNames[0]].data as Float32Array)];
    const best = (list: readonly number[]) => list.indexOf(Math.max(...list));
    const token = best(scores.slice(0, vocabulary + 1));
    let skip = isTdt ? best(scores.slice(vocabulary + 1)) : Number(token === vocabulary);
    if (token !== vocabulary) {
      tokens.push(token);
      prediction = await predict(token);
      symbols++;
    }
    const most = isTdt ? 5 : 10;
    if (skip === 0 && (symbols >= most || token === vocabulary)) skip = 1;
    if (skip > 0) symbols = 0;
    t += skip;
  }
  return tokens;
}

async function talkative(engine: Engine, model: EncDecRNNTModel): Promise<void> {
  for (const state of model.stateDict().values()) {
    if (state.name !== 'joint.joint_net.1.bias') continue;
    const bias = Float32Array.from({ length: state.shape[0] }, (_, k) => (k < 4 ? 0.3 - 0.05 * k : 0.1));
    await engine.write(state, bias);
  }
}

describe.each([
  ['RNN-T', { decoding: { greedy: { max_symbols: 10 } } }],
  ['TDT', tdt([0, 1, 2, 3])],
  ['HAT', { joint: { _target_: 'nemo.collections.asr.modules.HATJoint', jointnet } }],
] as const)('a transducer (%s)', (name, changes) => {
  it('becomes three models and tokens.txt, which decode as the model does', async () => {
    const model = EncDecRNNTModel.fromConfig(
      tinyModel({
        ...changes,
        decoder: {
          _target_: 'nemo.collections.asr.modules.RNNTDecoder',
          prednet: { pred_hidden: 12, pred_rnn_layers: 2 },
        },
      }),
      { engine, seed: 3 },
    );
    await talkative(engine, model);
    const files = await model.export(join(root, name), { for: 'sherpa', maxFrames: 100 });
    expect(files.map((file) => basename(file))).toEqual([
      'encoder.onnx',
      'decoder.onnx',
      'joiner.onnx',
      'tokens.txt',
    ]);
    const metadata = readMetadata(files[0]);
    expect(metadata).toMatchObject({
      vocab_size: '4',
      pred_rnn_layers: '2',
      pred_hidden: '12',
      normalize_type: 'per_feature',
      subsampling_factor: '4',
      feat_dim: '16',
      model_type: 'EncDecRNNTBPEModel',
      url: name === 'TDT' ? 'tdt' : '',
    });
    const [encoder, decoder, joiner] = await Promise.all(files.slice(0, 3).map(load));
    // Read from the declared shape: the number of classes, and of mel bins.
    expect(shapeOf(joiner.outputMetadata, 0).at(-1)).toBe(name === 'TDT' ? 9 : 5);
    expect(shapeOf(encoder.inputMetadata, 0)[1]).toBe(16);
    expect(decoder.outputNames.length).toBe(4);
    for (const length of [40, 133]) {
      const features = randomTensor([1, length, 16], length);
      const lengths = int32([length], [1]);
      const { hypotheses } = await model
        .recognizer(engine)
        .recognize({ features, featureLengths: lengths }, false);
      const { data } = features;
      const signal = Float32Array.from(data, (_, i) => data[(i % length) * 16 + Math.floor(i / length)]);
      const { outputs } = await encoder.run({
        audio_signal: new ort.Tensor('float32', signal, [1, 16, length]),
        length: new ort.Tensor('int64', [BigInt(length)], [1]),
      });
      const tokens = await search({ encoder, decoder, joiner }, outputs, metadata);
      if (name !== 'HAT') expect(tokens.length).toBeGreaterThan(0);
      expect(tokens).toEqual(hypotheses[0].tokens);
    }
  });
});

describe('what sherpa-onnx cannot be told', () => {
  const big = {
    joint: { _target_: 'nemo.collections.asr.modules.RNNTJoint', jointnet, num_extra_outputs: 1 },
    loss: { loss_name: 'multiblank_rnnt', multiblank_rnnt_kwargs: { big_blank_durations: [2] } },
    decoding: { model_type: 'multiblank', big_blank_durations: [2] },
  };
  const stateless = {
    decoder: {
      _target_: 'nemo.collections.asr.modules.StatelessTransducerDecoder',
      context_size: 2,
      prednet: { pred_hidden: 16, pred_rnn_layers: 1, dropout: 0 },
    },
  };
  const projected = {
    decoder: {
      _target_: 'nemo.collections.asr.modules.RNNTDecoder',
      prednet: { pred_hidden: 16, pred_rnn_layers: 1, rnn_hidden_size: 24 },
    },
  };
  it.each([
    ['durations that are not counted up', tdt([0, 1, 2, 4]), 'model.durations'],
    ['big blanks', big, 'model.loss'],
    ['a stateless decoder', stateless, 'model.decoder'],
    ['an LSTM with a projection', projected, 'model.decoder.prednet.rnn_hidden_size'],
    [
      'all_features',
      { preprocessor: { ...preprocessor, normalize: 'all_features' } },
      'model.preprocessor.normalize',
    ],
    [
      'a window of 20 ms',
      { preprocessor: { ...preprocessor, window_size: 0.02 } },
      'model.preprocessor.window_size',
    ],
    ['a token with a space inside', { labels: ['a', 'b c', 'd', ' '] }, 'model.tokenizer'],
  ] as const)('%s is refused and nothing is written', async (_name, changes, path) => {
    const model = EncDecRNNTModel.fromConfig(tinyModel(changes), { engine });
    const folder = join(root, 'refused');
    await expect(model.export(folder, { for: 'sherpa' })).rejects.toMatchObject({
      code: 'export.sherpa',
      path,
    });
    expect(existsSync(folder)).toBe(false);
  });

  it('a file where a folder is meant, and streams that need whole utterances', async () => {
    const model = EncDecRNNTModel.fromConfig(tinyModel(), { engine });
    await expect(model.export('x.onnx', { for: 'sherpa' })).rejects.toMatchObject({ code: 'export.path' });
    await expect(model.export('x.onnx', { streaming: true })).rejects.toMatchObject({
      code: 'streaming.normalize',
    });
  });
});
