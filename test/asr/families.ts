// A tiny model of every family, and a batch for it whose look-ups repeat so often that ONNX Runtime splits the work that
// belongs to them: 816 rows of 384 numbers, of three kinds.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  EncDecCTCModel,
  EncDecHybridRNNTCTCModel,
  EncDecMultiTaskModel,
  EncDecRNNTModel,
  type SpeechModel,
} from '../../src/asr/index.js';
import { type Engine, float32, type HostTensors, int32 } from '../../src/engine/index.js';
import { trainSpecialTokenizer } from '../../src/text/index.js';
import { tinyModel } from './support.js';
import { batchOf } from './training.js';

export interface Sizes {
  /** Utterances, tokens of each. */
  readonly batch: number;
  readonly tokens: number;
  /** Width of what is looked up. */
  readonly width: number;
}
export const WIDE: Sizes = { batch: 16, tokens: 50, width: 384 };
export const SMALL: Sizes = { batch: 2, tokens: 3, width: 16 };

export interface Family {
  readonly name: string;
  make(engine: Engine, sizes: Sizes): Promise<{ model: SpeechModel; inputs: HostTensors }>;
}

const modules = 'nemo.collections.asr.modules';
const jointnet = { joint_hidden: 16, activation: 'relu', dropout: 0 };
const joint = (outputs: number) => ({
  _target_: `${modules}.RNNTJoint`,
  jointnet,
  num_extra_outputs: outputs,
});
const ctcDecoder = { _target_: `${modules}.ConvASRDecoder`, feat_in: null, num_classes: -1 };
const durations = [0, 1, 2, 3, 4];
type Changes = (width: number) => Record<string, unknown>;

/** Two tokens of context, each of `width`: no recurrence, so a long target is cheap. */
const stateless: Changes = (width) => ({
  decoder: {
    _target_: `${modules}.StatelessTransducerDecoder`,
    context_size: 2,
    normalization_mode: 'layer',
    prednet: { pred_hidden: 2 * width, pred_rnn_layers: 1, t_max: null, dropout: 0 },
  },
});
const recurrent: Changes = (width) => ({
  decoder: { _target_: `${modules}.RNNTDecoder`, prednet: { pred_hidden: width, pred_rnn_layers: 1 } },
});
const tdt: Changes = (width) => ({
  ...stateless(width),
  joint: joint(5),
  loss: {
    loss_name: 'tdt',
    tdt_kwargs: { fastemit_lambda: 0.001, clamp: -1, durations, sigma: 0.05, omega: 0.1 },
  },
  decoding: { strategy: 'greedy', model_type: 'tdt', durations },
});
const multiblank: Changes = (width) => ({
  ...stateless(width),
  joint: joint(3),
  loss: {
    loss_name: 'multiblank_rnnt',
    multiblank_rnnt_kwargs: { fastemit_lambda: 0, clamp: -1, big_blank_durations: [2, 4, 8], sigma: 0.05 },
  },
  decoding: { strategy: 'greedy_batch', model_type: 'multiblank', big_blank_durations: [2, 4, 8] },
});
const hat: Changes = (width) => ({
  ...stateless(width),
  joint: { _target_: `${modules}.HATJoint`, jointnet, log_softmax: null },
});
const recurrentEncoder: Changes = (width) => ({
  ...stateless(width),
  encoder: {
    _target_: `${modules}.RNNEncoder`,
    feat_in: 16,
    n_layers: 1,
    d_model: 12,
    proj_size: 8,
    bidirectional: true,
    subsampling: 'stacking',
    dropout: 0,
  },
});

const transducer = (name: string, changes: Changes): Family => ({
  name,
  async make(engine, sizes) {
    const model = EncDecRNNTModel.fromConfig(tinyModel(changes(sizes.width)), { seed: 3, engine });
    return { model, inputs: inputsFor(model, sizes) };
  },
});

export const families: readonly Family[] = [
  {
    name: 'CTC',
    async make(engine, sizes) {
      const config = tinyModel({ target: 'EncDecCTCModel', decoder: ctcDecoder, joint: undefined });
      const model = EncDecCTCModel.fromConfig(config, { seed: 3, engine });
      // No more tokens than encoded frames.
      return { model, inputs: inputsFor(model, { ...sizes, tokens: 3 }) };
    },
  },
  {
    name: 'hybrid of TDT and CTC',
    async make(engine, sizes) {
      const changes = { ...tdt(sizes.width), aux_ctc: { ctc_loss_weight: 0.3, decoder: ctcDecoder } };
      const model = EncDecHybridRNNTCTCModel.fromConfig(tinyModel(changes), { seed: 3, engine });
      // Speech that is long enough for as many tokens: a CTC loss is infinite otherwise.
      return { model, inputs: inputsFor(model, sizes, 'abcabcabcabc') };
    },
  },
  transducer('RNN-T with an LSTM', recurrent),
  transducer('RNN-T, stateless', stateless),
  transducer('TDT', tdt),
  transducer('multi-blank', multiblank),
  transducer('HAT', hat),
  transducer('RNN-T over an encoder of LSTMs', recurrentEncoder),
  {
    name: 'RNN-T with adapters',
    async make(engine, sizes) {
      const model = EncDecRNNTModel.fromConfig(tinyModel(stateless(sizes.width)), { seed: 3, engine });
      model.addAdapter('encoder+joint:one', { _target_: 'LinearAdapter', dim: 3 });
      return { model, inputs: inputsFor(model, sizes) };
    },
  },
  {
    name: 'multitask',
    async make(engine, sizes) {
      return { model: multitask(engine, sizes.width), inputs: promptedInputs(sizes) };
    },
  },
];

/** @param changes to the model section */
export function multitask(
  engine: Engine,
  width: number,
  changes: Readonly<Record<string, unknown>> = {},
): SpeechModel {
  const folder = mkdtempSync(join(tmpdir(), 'anemone-families-'));
  try {
    trainSpecialTokenizer(['en'], folder);
    const labels = { type: 'char', labels: ['a', 'b', 'c', ' '] };
    const config = tinyModel({
      labels: undefined,
      decoder: undefined,
      joint: undefined,
      prompt_format: 'canary',
      tokenizer: {
        type: 'agg',
        langs: { spl_tokens: { type: 'bpe', dir: folder }, en: labels },
        custom_tokenizer: { _target_: 'CanaryTokenizer' },
      },
      transf_decoder: {
        _target_: 'TransformerDecoder',
        config_dict: { hidden_size: width, inner_size: 16, num_layers: 1, num_attention_heads: 2, pre_ln: true, max_sequence_length: 60 }, // biome-ignore format: one line reads better
      },
      head: { _target_: 'TokenClassifier', hidden_size: width },
      loss: { _target_: 'SmoothedCrossEntropyLoss', label_smoothing: 0.1 },
      ...changes,
    });
    return EncDecMultiTaskModel.fromConfig(config, { seed: 3, engine });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sounds, and targets of which the first is the prompt. */
export function promptedInputs(sizes: Sizes): HostTensors {
  const { batch } = sizes;
  const counts = (count: number) => int32(new Int32Array(batch).fill(count), [batch]);
  const features = Float32Array.from({ length: batch * 40 * 16 }, (_, i) =>
    Math.sin(0.37 * i + 1e-4 * i * i),
  );
  const spoken = { features: float32(features, [batch, 40, 16]), featureLengths: counts(40) };
  return { ...spoken, ...targetsOf(sizes), promptLengths: counts(1) };
}

function targetsOf({ batch, tokens }: Sizes): HostTensors {
  return {
    targets: int32(
      Int32Array.from({ length: batch * tokens }, (_, i) => (i * 7 + (i >> 3)) % 3),
      [batch, tokens],
    ),
    targetLengths: int32(new Int32Array(batch).fill(tokens), [batch]),
  };
}

/** Short speech, and targets as the sizes say. */
function inputsFor(model: SpeechModel, sizes: Sizes, speech = 'abcab'): HostTensors {
  const { inputs } = batchOf(model, Array(sizes.batch).fill(speech));
  return { ...inputs, ...targetsOf(sizes) };
}
