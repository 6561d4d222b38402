// Adapters in models: new ones change nothing, training moves nothing else, and what does not fit is said.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LinearAdapter } from '../../src/adapters/linear-adapter.js';
import { createModel, EncDecCTCModel, EncDecRNNTModel, type SpeechModel } from '../../src/asr/index.js';
import { type ComponentSection, configFromObject } from '../../src/config/index.js';
import {
  createReferenceEngine,
  type Engine,
  float32,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { evaluationPass, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { tinyModel } from '../asr/support.js';
import { batchOf, trainer } from '../asr/training.js';

const linear = { _target_: 'LinearAdapter', dim: 3 };
const ctcParts = {
  decoder: { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 },
  joint: undefined,
};

let engine: Engine;
beforeEach(() => {
  engine = createReferenceEngine();
});
afterEach(() => engine.dispose());

const transducer = (changes: Readonly<Record<string, unknown>> = {}) =>
  EncDecRNNTModel.fromConfig(tinyModel(changes), { seed: 3, engine });
const ctc = (changes: object = {}) =>
  EncDecCTCModel.fromConfig(tinyModel({ ...ctcParts, ...changes }), { seed: 3, engine });

async function lossOf(model: SpeechModel, training = false): Promise<number> {
  const program = engine.compile('loss', (inputs) => ({
    loss: model.trainingStep(inputs, training ? trainingPass : evaluationPass).loss,
  }));
  const out = await program.run(batchOf(model, ['abc', 'ca']).inputs, { random: new CounterRandom(1) });
  return out['loss'].data[0];
}

async function valuesOf(model: SpeechModel): Promise<Map<string, Buffer>> {
  const values = new Map<string, Buffer>();
  for (const state of [...model.parameters(), ...model.buffers()]) {
    const data = await engine.read(state);
    values.set(
      state.name,
      Buffer.from(Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))),
    );
  }
  return values;
}

/** Random weights, so that an adapter does something. */
async function shake(model: SpeechModel): Promise<void> {
  for (const parameter of model.parameters()) {
    if (!parameter.name.includes('adapter_layer')) continue;
    const random = new CounterRandom(5, parameter.name);
    await engine.write(
      parameter,
      Float32Array.from({ length: parameter.size }, (_, i) => random.normal(i)),
    );
  }
}

describe('a new adapter', () => {
  it.each(['one', 'decoder:one', 'joint:one', 'encoder+decoder+joint:one'])(
    'as %s changes nothing',
    async (name) => {
      const before = await lossOf(transducer());
      const model = transducer();
      model.addAdapter(name, linear);
      expect(await lossOf(model)).toBeCloseTo(before, 5);
      await shake(model);
      expect(await lossOf(model)).not.toBeCloseTo(before, 2);
      model.setEnabledAdapters('one', false);
      expect(await lossOf(model)).toBeCloseTo(before, 5);
    },
  );

  it.each([
    [
      'SqueezeformerEncoder',
      { n_layers: 2, conv_norm_type: 'batch_norm', time_reduce_idx: null },
      'encoder.layers.1',
    ],
    ['ConformerEncoder', { n_layers: 2 }, 'encoder.layers.1'],
  ])('goes into every layer of %s', async (type, more, place) => {
    const encoder = {
      _target_: type, feat_in: 16, d_model: 8, n_heads: 2, conv_kernel_size: 3, subsampling_conv_channels: 4,
      subsampling_factor: 4, dropout: 0, dropout_emb: 0, ...more,
    }; // biome-ignore format: a table
    const before = await lossOf(ctc({ encoder }));
    const model = ctc({ encoder });
    model.addAdapter('one', { ...linear, norm_position: 'post' });
    model.addAdapter('two', { _target_: 'RelPositionMultiHeadAttentionAdapter', n_head: 1, proj_dim: -1 });
    expect(await lossOf(model)).toBeCloseTo(before, 5);
    const names = [...model.stateDict().keys()].filter((name) => name.startsWith(`${place}.adapter_layer`));
    expect(names).toContain(`${place}.adapter_layer.one.module.3.bias`);
    expect(names).toContain(`${place}.adapter_layer.two.linear_pos.weight`);
    expect(names).toHaveLength(4 + 13);
    await shake(model);
    expect(await lossOf(model)).not.toBeCloseTo(before, 2);
  });

  it('goes into every block of ConvASREncoder and into the classifier', async () => {
    const block = { repeat: 1, kernel: [3], stride: [1], dilation: [1], dropout: 0, residual: false };
    const encoder = {
      _target_: 'ConvASREncoder', feat_in: 16, activation: 'relu', conv_mask: true,
      jasper: [{ ...block, filters: 6, stride: [2] }, { ...block, filters: 10 }],
    }; // biome-ignore format: a table
    const before = await lossOf(ctc({ encoder }));
    const model = ctc({ encoder });
    model.addAdapter('encoder+decoder:one', linear);
    expect(await lossOf(model)).toBeCloseTo(before, 5);
    const shapes = Object.fromEntries([...model.stateDict()].map(([name, { shape }]) => [name, shape]));
    expect(shapes['encoder.encoder.0.adapter_layer.one.module.3.weight']).toEqual([6, 3]);
    expect(shapes['encoder.encoder.1.adapter_layer.one.module.3.weight']).toEqual([10, 3]);
    expect(shapes['decoder.adapter_layer.one.module.3.weight']).toEqual([10, 3]);
    await shake(model);
    expect(await lossOf(model)).not.toBeCloseTo(before, 2);
  });

  it('in the joint leaves the gradients of the joint what they were, clamped or not', async () => {
    for (const loss of [null, { loss_name: 'default', warprnnt_numba_kwargs: { clamp: 0.01 } }]) {
      const gradients = async (adapted: boolean): Promise<Float32Array> => {
        const model = transducer({ loss });
        if (adapted) model.addAdapter('joint:one', linear);
        const parameter = model.stateDict().get('joint.joint_net.1.weight');
        const program = engine.compile('gradient', (inputs) => {
          const { grads } = valueAndGrads(
            () => model.trainingStep(inputs, evaluationPass).loss,
            parameter ? [parameter] : [],
          );
          return { grad: grads[0] };
        });
        return (await program.run(batchOf(model, ['abc', 'ca']).inputs))['grad'].data as Float32Array;
      };
      const [plain, adapted] = [await gradients(false), await gradients(true)];
      expect(Math.max(...plain.map((value, i) => Math.abs(value - adapted[i])))).toBeLessThan(1e-5);
      expect(Math.max(...plain.map(Math.abs))).toBeGreaterThan(1e-3);
    }
  });
});

describe('training adapters', () => {
  it('moves the enabled ones and nothing else, batch statistics included', async () => {
    const model = transducer();
    model.addAdapter('encoder:old', linear);
    model.addAdapter('encoder+joint:new', { ...linear, activation: 'relu', norm_position: 'post' });
    await shake(model);
    model.setEnabledAdapters('old', false);
    model.freeze();
    model.unfreezeEnabledAdapters();
    const before = await valuesOf(model);
    const program = trainer(engine, model, 0.01);
    const { inputs } = batchOf(model, ['abc', 'ca']);
    const losses: number[] = [];
    for (let i = 0; i < 4; i++) {
      const out = await program.run(inputs, { random: new CounterRandom(i) });
      losses.push(out['loss'].data[0]);
    }
    const after = await valuesOf(model);
    const moved = [...before.keys()].filter((name) => !after.get(name)?.equals(before.get(name) as Buffer));
    expect(moved).toEqual([...before.keys()].filter((name) => name.includes('.adapter_layer.new.')));
    expect(moved).toHaveLength(8);
    expect(losses.at(-1)).toBeLessThan(losses[0]);
  });

  it('lets batch norms follow the data when asked to', async () => {
    const model = transducer();
    model.addAdapter('one', linear);
    model.freeze();
    model.unfreezeEnabledAdapters({ freezeBatchNorm: false });
    const before = await valuesOf(model);
    await trainer(engine, model, 0.01).run(batchOf(model, ['ab']).inputs, { random: new CounterRandom(1) });
    const after = await valuesOf(model);
    const mean = 'encoder.layers.0.conv.batch_norm.running_mean';
    expect(after.get(mean)?.equals(before.get(mean) as Buffer)).toBe(false);
  });

  it('costs what l2_lambda says, as long as the adapter is trained', async () => {
    const model = transducer();
    const plain = transducer();
    const strategy = { _target_: 'ResidualAddAdapterStrategy', l2_lambda: 0.5 };
    model.addAdapter('decoder:one', { ...linear, adapter_strategy: strategy });
    plain.addAdapter('decoder:one', linear);
    await shake(model);
    await shake(plain);
    expect(await lossOf(model)).toBeCloseTo(await lossOf(plain), 5);
    const without = await lossOf(plain, true);
    const cost = (await lossOf(model, true)) - without;
    expect(cost).toBeGreaterThan(0.1);
    model.freeze();
    expect(await lossOf(model, true)).toBeCloseTo(without, 5);
  });
});

describe('LinearAdapter', () => {
  const options = { in_features: 4, dim: 2, activation: 'relu', norm_position: 'pre', dropout: 0 } as const;
  const x = float32([1, -2, 3, 0.5, 0, 1, -1, 2], [2, 4]);

  async function run(strategy: { stochastic_depth: number; l2_lambda: number }, training: boolean) {
    const adapter = new LinearAdapter({ ...options, adapter_strategy: strategy });
    for (const parameter of adapter.parameters()) {
      await engine.write(
        parameter,
        Float32Array.from({ length: parameter.size }, (_, i) => Math.sin(i + 1)),
      );
    }
    const costs: Tensor[] = [];
    const pass = {
      ...(training ? trainingPass : evaluationPass),
      cost: (cost: Tensor) => void costs.push(cost),
    };
    const program = engine.compile('adapter', ({ x }) => ({
      y: adapter.forward(x, pass),
      cost: costs[0] ?? tf.scalar(-1),
    }));
    const out = await program.run({ x }, { random: new CounterRandom(1) });
    return { y: [...out['y'].data] as number[], cost: out['cost'].data[0] };
  }

  it('always adds nothing at stochastic depth 1, in training', async () => {
    const strategy = { stochastic_depth: 1, l2_lambda: 0 };
    expect((await run(strategy, true)).y).toEqual([...x.data]);
    expect((await run(strategy, false)).y).not.toEqual([...x.data]);
  });

  it('costs the mean squared length of what it adds', async () => {
    const { y, cost } = await run({ stochastic_depth: 0, l2_lambda: 0.5 }, true);
    const added = y.map((value, i) => value - x.data[i]);
    expect(cost).toBeCloseTo((0.5 * added.reduce((sum, value) => sum + value ** 2, 0)) / 2, 5);
    expect((await run({ stochastic_depth: 0, l2_lambda: 0.5 }, false)).cost).toBe(-1);
  });
});

describe('the config', () => {
  it('keeps adapters, and makes the same model again', async () => {
    const model = transducer();
    expect('adapters' in model.config).toBe(false);
    model.addAdapter('joint:one', linear);
    model.addAdapter('two', { ...linear, enabled: false });
    const nemoName = 'nemo.collections.common.parts.adapter_modules.LinearAdapter';
    expect(model.config['adapters']).toEqual({
      global_cfg: { adapter_meta_cfg: { modules: { one: 'joint', two: '' } } },
      one: { ...linear, _target_: nemoName, in_features: 16, enabled: true },
      two: { ...linear, _target_: nemoName, in_features: 16, enabled: false },
    });
    const strategy = { _target_: 'MHAResidualAddAdapterStrategy', l2_lambda: 0.1 };
    const attention = { _target_: 'RelPositionMultiHeadAttentionAdapter', n_head: 2 };
    model.addAdapter('three', { ...attention, adapter_strategy: strategy });
    const kept = expect.stringMatching(/^nemo\..*\.MHAResidualAddAdapterStrategy$/) as string;
    expect(model.config['adapters']).toMatchObject({
      three: { dropout_rate: 0, n_feat: 16, adapter_strategy: { _target_: kept, l2_lambda: 0.1 } },
    });
    const again = createModel(
      configFromObject({ model: { ...model.config, target: 'EncDecRNNTModel' } }).model,
    );
    expect([...again.module.stateDict().keys()]).toEqual([...model.stateDict().keys()]);
    expect((again as SpeechModel).adapters.enabled).toEqual(['one', 'three']);
    expect(again.config['adapters']).toEqual(model.config['adapters']);
  });

  it('says what does not fit', () => {
    const model = transducer();
    const add =
      (name: string, config: object = linear) =>
      () =>
        model.addAdapter(name, { ...config } as ComponentSection);
    add('one')();
    expect(add('joint:one')).toThrow(/already/);
    expect(add('encodr:two')).toThrow(/no module.*encoder/s);
    expect(add('global_cfg')).toThrow(/cannot be/);
    expect(add('two', { dim: 2 })).toThrow(/_target_/);
    expect(add('two', { _target_: 'LinearAdaptor', dim: 2 })).toThrow(/LinearAdapter/);
    expect(add('two', { ...linear, dimm: 2 })).toThrow(/dimm/);
    expect(add('two', { ...linear, adapter_strategy: { _target_: 'ReturnResultAdapterStrategy' } })).toThrow(
      /not supported/,
    );
    const attention = { _target_: 'MultiHeadAttentionAdapter', n_head: 1 };
    expect(add('two', attention)).toThrow(/relative positions.*RelPosition/s);
    expect(add('joint:two', { ...attention, _target_: 'RelPositionMultiHeadAttentionAdapter' })).toThrow(
      /need an encoder/,
    );
    expect(() => model.setEnabledAdapters('three', true)).toThrow(/it has one/);
    const stateless = transducer({
      decoder: { _target_: 'StatelessTransducerDecoder', prednet: { pred_hidden: 16 } },
    });
    expect(() => stateless.addAdapter('decoder:one', linear)).toThrow(
      /StatelessTransducerDecoder takes no adapters/,
    );
    expect(() => ctc().addAdapter('joint:one', linear)).toThrow(/no joint/);
  });

  it('does not leave half of an adapter behind', () => {
    const model = ctc();
    expect(() => model.addAdapter('encoder+joint:one', linear)).toThrow(/no joint/);
    expect(model.adapters.names).toEqual([]);
    model.addAdapter('one', linear);
    expect(model.adapters.names).toEqual(['one']);
  });
});
