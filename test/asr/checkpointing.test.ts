// Gradient checkpointing by Megatron's keys, on every encoder, decoder and Transformer: the bits are those of plain training.
import { afterAll, describe, expect, it } from 'vitest';
import { rnntDecoderSchema } from '../../src/asr/decoders/config.js';
import { RNNTDecoder } from '../../src/asr/decoders/rnnt-decoder.js';
import { conformerEncoderSchema } from '../../src/asr/encoders/conformer-config.js';
import { ConformerEncoder } from '../../src/asr/encoders/conformer-encoder.js';
import { convAsrEncoderSchema } from '../../src/asr/encoders/conv-asr-config.js';
import { ConvASREncoder } from '../../src/asr/encoders/conv-asr-encoder.js';
import type { InnerLayers } from '../../src/asr/encoders/encoder.js';
import { rnnEncoderSchema } from '../../src/asr/encoders/rnn-config.js';
import { RNNEncoder } from '../../src/asr/encoders/rnn-encoder.js';
import { squeezeformerEncoderSchema } from '../../src/asr/encoders/squeezeformer-config.js';
import { SqueezeformerEncoder } from '../../src/asr/encoders/squeezeformer-encoder.js';
import type { Encoder } from '../../src/asr/index.js';
import {
  createReferenceEngine,
  type Engine,
  float32,
  int32,
  OnnxEngine,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { type CheckpointConfig, checkpointsOf, Module, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { transformerDecoderSchema, transformerEncoderSchema } from '../../src/transformer/components.js';
import { TransformerDecoder, TransformerEncoder } from '../../src/transformer/index.js';

const BATCH = 2;
const FRAMES = 32;
const LONG = 512;
const PEAK_OF_BLOCKS = 2 ** 26;
const BINS = 8;
const noise = (shape: number[], key: number) =>
  float32(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      new CounterRandom(key).normal(i),
    ),
    shape,
  );

type Keys = CheckpointConfig;
const SETTINGS: Record<string, Keys> = {
  'each layer': { activations_checkpoint_granularity: 'full' },
  'groups of two': {
    activations_checkpoint_granularity: 'full',
    activations_checkpoint_method: 'uniform',
    activations_checkpoint_num_layers: 2,
  },
  'the first layer': {
    activations_checkpoint_granularity: 'full',
    activations_checkpoint_method: 'block',
    activations_checkpoint_num_layers: 1,
  },
};
const SELECTIVE: Keys = { activations_checkpoint_granularity: 'selective' };
const BLOCKS: Keys = { activations_checkpoint_granularity: 'blocks' };
/** What is about the blocks around attention, and what messages say of it. */
const OF_ATTENTION: readonly (readonly [string, Keys, RegExp])[] = [
  ['the attention weights', SELECTIVE, /selective computes attention again, and there is none/],
  ['blocks', BLOCKS, /blocks computes the blocks around attention again, and there is none/],
  [
    'blocks of the first layer',
    { ...BLOCKS, activations_checkpoint_method: 'block' },
    /blocks computes the blocks/,
  ],
];

/** A module and what it gives for features [B,T,F], of a layer in between too if that is wanted. */
interface Stack {
  readonly module: Module;
  forward(x: Tensor, lengths: Tensor, between: boolean): Tensor[];
}

const sizes = {
  feat_in: BINS,
  d_model: 16,
  n_heads: 2,
  n_layers: 3,
  subsampling_factor: 2,
  subsampling_conv_channels: 8,
};
const dropouts = { dropout: 0.1, dropout_att: 0.2, dropout_emb: 0.1 };
const ofEncoder = (module: Encoder): Stack => ({
  module,
  forward: (x, lengths, between) => {
    const inner: Tensor[] = [];
    const pass = { ...trainingPass, batchFrames: tf.tensor1d([x.shape[1]! - 2], 'int32') };
    const each: InnerLayers = (i, { encoded }) => void (i === 1 && inner.push(encoded));
    const { encoded } = module.forward(x, lengths, pass, between ? each : undefined);
    return [encoded, ...inner];
  },
});
const layerSizes = {
  hidden_size: 8,
  inner_size: 16,
  num_layers: 3,
  num_attention_heads: 2,
  attn_score_dropout: 0.1,
  attn_layer_dropout: 0.1,
  ffn_dropout: 0.1,
  hidden_act: 'gelu',
  pre_ln: true,
  pre_ln_final_layer_norm: true,
} as const;

/** Two Transformers, one looking at what the other gives. */
class EncoderDecoder extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;
  constructor(keys: Keys) {
    super();
    this.encoder = this.child(
      'encoder',
      new TransformerEncoder({ ...layerSizes, ...keys, mask_future: false }),
    );
    this.decoder = this.child('decoder', new TransformerDecoder({ ...layerSizes, ...keys, vocab_size: 12, max_sequence_length: 16, num_token_types: 2, embedding_dropout: 0.1, learn_positional_encodings: true })); // biome-ignore format: one line reads better
  }
  forward(x: Tensor, lengths: Tensor): Tensor {
    const states = this.encoder.forward(x, lengths, trainingPass);
    const tokens = tf.tensor2d([[1, 2, 3, 4], [5, 6, 7, 1]], undefined, 'int32'); // biome-ignore format: one line reads better
    return this.decoder.forward(tokens, tf.tensor1d([4, 3], 'int32'), { states, lengths }, trainingPass);
  }
}

/** Some token for each frame, x [B,T,F] → [B,T]. */
const tokensOf = (x: Tensor): Tensor =>
  tf.cast(tf.minimum(tf.mul(tf.abs(tf.squeeze(tf.slice(x, [0, 0, 0], [-1, -1, 1]), [2])), 4), 11), 'int32');

const block = { filters: 8, repeat: 2, kernel: [3], stride: [1], dilation: [1], dropout: 0.1, residual: true, separable: true }; // biome-ignore format: one line reads better
const convolutional = (jasper: readonly object[], keys: Keys) =>
  new ConvASREncoder(convAsrEncoderSchema.parse({ feat_in: BINS, activation: 'relu', jasper, ...keys }));

interface Kind {
  make(keys: Keys): Stack;
  readonly attends: boolean;
  /** Layers see those before the last: gradients are added up in another order where they are computed again. */
  readonly dense?: boolean;
}

const STACKS: Record<string, Kind> = {
  Conformer: {
    attends: true,
    make: (keys) =>
      ofEncoder(new ConformerEncoder({ ...sizes, ...dropouts, ...keys, conv_kernel_size: 5, stochastic_depth_drop_prob: 0.3, untie_biases: false, reduction: 'pooling', reduction_position: 0, reduction_factor: 2 })), // biome-ignore format: one line reads better
  },
  'Conformer of local attention': {
    attends: true,
    make: (keys) =>
      ofEncoder(new ConformerEncoder({ ...sizes, ...dropouts, ...keys, conv_kernel_size: 5, self_attention_model: 'rel_pos_local_attn', att_context_size: [2, 2], global_tokens: 1 })), // biome-ignore format: one line reads better
  },
  Squeezeformer: {
    attends: true,
    make: (keys) =>
      ofEncoder(new SqueezeformerEncoder(squeezeformerEncoderSchema.parse({ ...sizes, ...dropouts, ...keys, conv_kernel_size: 5, time_reduce_idx: 1 }))), // biome-ignore format: one line reads better
  },
  'LSTM encoder': {
    attends: false,
    make: (keys) =>
      ofEncoder(new RNNEncoder(rnnEncoderSchema.parse({ feat_in: BINS, n_layers: 3, d_model: 12, proj_size: 8, subsampling_factor: 2, subsampling_conv_channels: 4, ...keys }))), // biome-ignore format: one line reads better
  },
  'convolutional encoder': {
    attends: false,
    make: (keys) => ofEncoder(convolutional([{ ...block, residual: false }, block, block, block], keys)),
  },
  'dense convolutional encoder': {
    attends: false,
    dense: true,
    make: (keys) => {
      const dense = { ...block, residual_dense: true };
      return ofEncoder(convolutional([{ ...block, residual: false }, dense, dense, block], keys));
    },
  },
  'prediction network': {
    attends: false,
    make: (keys) => {
      const prednet = { pred_hidden: 8, rnn_hidden_size: 12, pred_rnn_layers: 3, dropout: 0.1, ...keys };
      const module = new RNNTDecoder({ prednet, vocab_size: 12 });
      return { module, forward: (x) => [module.forward(tokensOf(x), trainingPass)] };
    },
  },
  Transformers: {
    attends: true,
    make: (keys) => {
      const module = new EncoderDecoder(keys);
      return { module, forward: (x, lengths) => [module.forward(x, lengths)] };
    },
  },
};

interface Step {
  readonly values: Readonly<Record<string, readonly number[]>>;
  readonly peak: number | undefined;
}

const trainedOf = (module: Module) => [...module.parameters()].filter(({ trainable }) => trainable);

/** Loss and gradients. */
function programOf(engine: Engine, { module, forward }: Stack, between = false) {
  const parameters = trainedOf(module);
  return engine.compile('step', ({ x, lengths }) => {
    const { value, grads } = valueAndGrads(
      () =>
        forward(x, lengths, between)
          .map((y) => tf.sum(tf.sin(y)))
          .reduce((a, b) => tf.add(a, b)) as Tensor,
      parameters,
    );
    return { loss: value, ...Object.fromEntries(grads.map((grad, i) => [parameters[i].name, grad])) };
  });
}

const inputsOf = (frames: number) => ({
  x: noise([BATCH, frames, BINS], 3),
  lengths: int32([frames - 2, frames - 9], [BATCH]),
});

/** The most that is alive at once in a step, which is not run. */
function peakOf(stack: Stack, frames: number): number {
  const program = programOf(onnx, stack);
  const peak = program.peakBytes?.(inputsOf(frames)) as number;
  program.dispose();
  return peak;
}

/** Loss, gradients and running statistics of a step, whose loss may also be of a layer in between. */
async function stepOf(engine: Engine, stack: Stack, between = false, frames = FRAMES): Promise<Step> {
  const program = programOf(engine, stack, between);
  const inputs = inputsOf(frames);
  const out = await program.run(inputs, { random: new CounterRandom(5) });
  const buffers = await Promise.all([...stack.module.buffers()].map(async (buffer) => [buffer.name, Array.from(await engine.read(buffer))] as const)); // biome-ignore format: one line reads better
  const peak = program.peakBytes?.(inputs);
  program.dispose();
  return {
    values: { ...Object.fromEntries(Object.entries(out).map(([name, { data }]) => [name, Array.from(data)])), ...Object.fromEntries(buffers) }, // biome-ignore format: one line reads better
    peak,
  };
}

const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

/**
 * Names of values that differ by more than `relative` of what is largest of them, or of a fiftieth of what is largest of all: a
 * bias before a norm has a gradient of nothing but rounding.
 */
function differing(found: Step, wanted: Step, relative: number): string[] {
  expect(Object.keys(found.values)).toEqual(Object.keys(wanted.values));
  const largest = Math.max(...Object.values(wanted.values).flat().map(Math.abs));
  return Object.entries(wanted.values).flatMap(([name, values]) => {
    const scale = Math.max(largest / 50, ...values.map(Math.abs));
    const worst = Math.max(...values.map((v, i) => Math.abs(v - found.values[name][i])));
    return worst <= relative * scale ? [] : [`${name}: ${worst / scale}`];
  });
}

describe.each(Object.entries(STACKS))('checkpointing of: %s', (name, { make, attends, dense = false }) => {
  const known = new Map<string, Promise<Step>>();
  /** A step of this stack, computed once for all tests. */
  const stepWith = (keys: Keys, between = false): Promise<Step> => {
    const key = JSON.stringify([keys, between]);
    const step = known.get(key) ?? stepOf(onnx, make(keys), between);
    known.set(key, step);
    return step;
  };

  it.each(Object.entries(SETTINGS))('of %s changes no bit', async (_, keys) => {
    expect(differing(await stepWith(keys), await stepWith({}), dense ? 1e-5 : 0)).toEqual([]);
  });

  it.each(['each layer', 'the first layer'])(
    'of %s changes nothing but the order of a sum where a layer in between is of use too',
    async (setting) => {
      const plain = await stepWith({}, true);
      expect(differing(await stepWith(SETTINGS[setting], true), plain, 1e-5)).toEqual([]);
    },
  );

  it.each(OF_ATTENTION)('of %s changes no bit, where there is attention', async (_, keys, message) => {
    if (!attends) {
      expect(() => make(keys)).toThrow(message);
      return;
    }
    const [plain, step] = [await stepWith({}), await stepWith(keys)];
    expect(differing(step, plain, 0)).toEqual([]);
    expect(step.peak).toBeLessThan(plain.peak as number);
  });

  it('is that of an engine that computes at once', async () => {
    const keys = SETTINGS['each layer'];
    const eager = await stepOf(createReferenceEngine(), make(keys));
    expect(differing(await stepWith(keys), eager, 2e-3)).toEqual([]);
  });

  // What dense layers see of those before the last is kept.
  const takesLess = dense ? 'no more' : 'less';
  it(`takes ${takesLess} memory the more layers it has`, () => {
    const [none, two, all] = [0, 2, 4].map((count) => {
      const stack = make({});
      for (const checkpoints of checkpointsOf(stack.module)) checkpoints.use(count);
      return peakOf(stack, 16 * FRAMES);
    });
    if (dense) expect(all).toBeLessThanOrEqual(none);
    else expect([all < two, two < none], `${name}: ${[none, two, all]}`).toEqual([true, true]);
  });
});

/** Stacks whose attention is in query blocks: 2 items, 32 heads, 256 frames. Layers are few, and so is what they make. */
const LARGE_STACKS: Record<string, (keys: Keys) => Stack> = {
  Conformer: (keys) =>
    ofEncoder(new ConformerEncoder({ ...sizes, ...dropouts, ...keys, n_layers: 2, d_model: 32, n_heads: 32, conv_kernel_size: 5, subsampling_conv_channels: 4, untie_biases: false })), // biome-ignore format: one line reads better
  Squeezeformer: (keys) =>
    ofEncoder(new SqueezeformerEncoder(squeezeformerEncoderSchema.parse({ ...sizes, ...dropouts, ...keys, n_layers: 2, d_model: 32, n_heads: 32, conv_kernel_size: 5, subsampling_conv_channels: 4 }))), // biome-ignore format: one line reads better
  Transformer: (keys) => {
    const module = new TransformerEncoder({ ...layerSizes, ...keys, num_layers: 2, hidden_size: 32, num_attention_heads: 32, mask_future: false }); // biome-ignore format: one line reads better
    // A frame every other of x, its bins four times.
    const states = (x: Tensor) => tf.tile(tf.slice(x, [0, 0, 0], [BATCH, x.shape[1]! / 2, BINS]), [1, 1, 4]);
    return {
      module,
      forward: (x, lengths) => [module.forward(states(x), tf.cast(tf.div(tf.cast(lengths, 'float32'), 2), 'int32'), trainingPass)], // biome-ignore format: one line reads better
    };
  },
};

describe.each(Object.entries(LARGE_STACKS))('checkpointing of long sequences: %s', (_, make) => {
  it('changes no bit, and has the weights of a block in memory at once', async () => {
    const plain = await stepOf(onnx, make({}), false, LONG);
    // In one piece the weights of two layers, 16 MiB each, would be kept, and three times as much be made of them: 105 MiB and more.
    expect(plain.peak).toBeLessThan(PEAK_OF_BLOCKS);
    for (const keys of [SELECTIVE, BLOCKS, SETTINGS['each layer'], SETTINGS['groups of two']]) {
      const step = await stepOf(onnx, make(keys), false, LONG);
      expect(differing(step, plain, 0), JSON.stringify(keys)).toEqual([]);
      expect(step.peak, JSON.stringify(keys)).toBeLessThan(1.05 * (plain.peak as number));
    }
  });
});

const CONTRADICTIONS: readonly (readonly [Keys, string])[] = [
  [{ activations_checkpoint_method: 'block' }, 'method'],
  [{ activations_checkpoint_num_layers: 2 }, 'num_layers'],
  [{ ...SELECTIVE, activations_checkpoint_method: 'uniform' }, 'method'],
  [{ ...SELECTIVE, activations_checkpoint_num_layers: 1 }, 'num_layers'],
  [{ ...BLOCKS, activations_checkpoint_method: 'uniform' }, 'method'],
  [{ ...BLOCKS, activations_checkpoint_num_layers: 2 }, 'num_layers'],
];
it.each(CONTRADICTIONS)('keys that contradict each other are an error: %j', (keys, key) => {
  expect(() => STACKS['Conformer'].make(keys)).toThrow(
    expect.objectContaining({ code: 'nn.checkpointing', path: `encoder.activations_checkpoint_${key}` }),
  );
});

describe.each([
  ['Conformer', conformerEncoderSchema, { feat_in: 8, d_model: 8, n_layers: 1 }, ''],
  ['Squeezeformer', squeezeformerEncoderSchema, { feat_in: 8, d_model: 8, n_layers: 1 }, ''],
  ['LSTM encoder', rnnEncoderSchema, { feat_in: 8, d_model: 8, n_layers: 1, proj_size: 4 }, ''],
  ['convolutional encoder', convAsrEncoderSchema, { feat_in: 8, jasper: [block], activation: 'relu' }, ''],
  ['Transformer', transformerEncoderSchema, { hidden_size: 8, inner_size: 8, num_layers: 1 }, ''],
  [
    'Transformer decoder',
    transformerDecoderSchema,
    { hidden_size: 8, inner_size: 8, num_layers: 1 },
    'config_dict',
  ],
  ['prediction network', rnntDecoderSchema, { pred_hidden: 8 }, 'prednet'],
] as const)(
  'a config is told before anything is made that it contradicts itself: %s',
  (name, schema, size, part) => {
    const problemsOf = (keys: Keys): string[] => {
      const section = { ...size, ...keys };
      return schema
        .validate(part ? { [part]: section } : section)
        .errors.map(({ path, message }) => `${path}: ${message}`);
    };

    it.each(CONTRADICTIONS)('%j', (keys, key) => {
      expect(problemsOf({})).toEqual([]);
      const path = part ? `${part}.` : '';
      expect(problemsOf(keys)).toContainEqual(
        expect.stringMatching(
          `${path}activations_checkpoint_${key}: (needs|is for) activations_checkpoint_granularity: full`,
        ),
      );
    });

    it.each(OF_ATTENTION)('%s without attention', (_, keys, message) => {
      const attends = /former/.test(name);
      expect(problemsOf(keys)).toEqual(attends ? [] : [expect.stringMatching(message)]);
    });
  },
);
