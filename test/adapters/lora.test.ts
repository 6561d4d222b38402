// Low-rank adapters in speech and language models: which maps they stand beside, what they add (written out in plain arithmetic),
// what is trained, saved and merged.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LowRankAdapter } from '../../src/adapters/index.js';
import { EncDecCTCModel, EncDecRNNTModel, type SpeechModel } from '../../src/asr/index.js';
import { configFromObject } from '../../src/config/index.js';
import { createReferenceEngine, type Engine, int32 } from '../../src/engine/index.js';
import { MegatronGPTModel } from '../../src/lm/index.js';
import { evaluationPass, Linear, type Module, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { tinyModel } from '../asr/support.js';
import { batchOf, trainer } from '../asr/training.js';

const folder = mkdtempSync(join(tmpdir(), 'lora-'));
afterAll(() => rmSync(folder, { recursive: true }));

let engine: Engine;
beforeEach(() => {
  engine = createReferenceEngine();
});
afterEach(() => engine.dispose());

const lora = { _target_: 'LoRA', dim: 3, alpha: 6 };
const transducer = () => EncDecRNNTModel.fromConfig(tinyModel(), { seed: 3, engine });
const gpt = (more: object = {}) =>
  MegatronGPTModel.fromConfig(
    configFromObject({
      encoder_seq_length: 12, num_layers: 2, hidden_size: 16, num_attention_heads: 4, num_query_groups: 2,
      activation: 'swiglu', bias: false, position_embedding_type: 'rope', init_method_std: 0.3,
      hidden_dropout: 0, attention_dropout: 0, tokenizer: { library: 'byte-level' }, ...more,
    }),
    { engine, seed: 4 },
  ); // biome-ignore format: a table

async function shake(model: Module): Promise<void> {
  for (const parameter of model.parameters()) {
    if (!parameter.name.includes('adapter_layer')) continue;
    const random = new CounterRandom(5, parameter.name);
    const values = Float32Array.from({ length: parameter.size }, (_, i) => 0.3 * random.normal(i));
    await engine.write(parameter, values);
  }
}

async function lossOf(model: SpeechModel, training = false): Promise<number> {
  const program = engine.compile('loss', (inputs) => ({
    loss: model.trainingStep(inputs, training ? trainingPass : evaluationPass).loss,
  }));
  return (await program.run(batchOf(model, ['abc', 'ca']).inputs, { random: new CounterRandom(1) }))['loss']
    .data[0];
}

async function logitsOf(model: MegatronGPTModel): Promise<Float32Array> {
  const program = engine.compile('logits', ({ tokens }) => ({
    logits: model.network.logits({ tokens }, evaluationPass),
  }));
  const out = await program.run({
    tokens: int32(
      Array.from({ length: 12 }, (_, i) => (7 * i) % 200),
      [1, 12],
    ),
  });
  return Float32Array.from(out['logits'].data as Float32Array);
}

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

describe('LoRA in a speech model', () => {
  it.each([
    ['attention_qkv', 3],
    ['all', 3 + 1 + 4],
    ['linear_q', 1],
    ['pointwise_conv1', 1],
    ['encoder.layers.0.feed_forward1.linear2', 1],
    ['*.conv.*', 2],
  ])(
    'of %s stands beside the maps that are meant, changes nothing when new, and merges',
    async (target, count) => {
      const before = await lossOf(transducer());
      const model = transducer();
      model.addAdapter('one', { ...lora, target_modules: [target] });
      const names = [...model.stateDict().keys()].filter((name) => name.includes('.adapter_layer.one.'));
      expect(names).toHaveLength(2 * count);
      expect(await lossOf(model)).toBe(before);
      await shake(model);
      const adapted = await lossOf(model);
      expect(Math.abs(adapted - before)).toBeGreaterThan(1e-3);
      await model.mergeAdapters();
      expect([...model.stateDict().keys()]).toEqual([...transducer().stateDict().keys()]);
      expect(model.config['adapters']).toBeUndefined();
      expect(await lossOf(model)).toBeCloseTo(adapted, 4);
    },
  );

  it('is the only thing that training moves, and comes back from a file of its own', async () => {
    const model = transducer();
    model.addAdapter('encoder+joint:one', { ...lora, target_modules: ['linear_v', 'enc'], dropout: 0.2 });
    model.freeze();
    model.unfreezeEnabledAdapters();
    const valuesOf = async (): Promise<Map<string, string>> => {
      const values = new Map<string, string>();
      for (const state of [...model.parameters(), ...model.buffers()])
        values.set(
          state.name,
          Buffer.from(Float32Array.from(await engine.read(state)).buffer).toString('hex'),
        );
      return values;
    };
    const before = await valuesOf();
    const program = trainer(engine, model, 0.01);
    const losses: number[] = [];
    for (let i = 0; i < 6; i++) {
      const out = await program.run(batchOf(model, ['abc', 'ca']).inputs, { random: new CounterRandom(i) });
      losses.push(out['loss'].data[0]);
    }
    const after = await valuesOf();
    const moved = [...before.keys()].filter((name) => after.get(name) !== before.get(name));
    expect(moved).toEqual([...before.keys()].filter((name) => name.includes('.adapter_layer.one.')));
    expect(moved).toHaveLength(4);
    expect(losses.at(-1)).toBeLessThan(losses[0]);
    const path = join(folder, 'one.pt');
    await model.saveAdapters(path, { engine });
    const other = transducer();
    expect(await other.loadAdapters(path, { engine })).toEqual(['one']);
    expect(await lossOf(other)).toBe(await lossOf(model));
  });

  it('drops out in training alone', async () => {
    const model = transducer();
    model.addAdapter('one', { ...lora, dropout: 0.5, dropout_position: 'pre' });
    await shake(model);
    const plain = transducer();
    plain.addAdapter('one', lora);
    await shake(plain);
    expect(await lossOf(model)).toBe(await lossOf(plain));
    expect(await lossOf(model, true)).not.toBeCloseTo(await lossOf(plain, true), 4);
  });

  it.each([
    [{ target_modules: ['linear_z'] }, /"linear_z" names no linear map/],
    [{ target_modules: ['linear_q'], layer_selection: [2] }, /no layer is in \[2\]/],
    [{ dim: 0 }, /dim/],
    [{ target_modules: ['pre_encode.out'] }, /the weight of this map is read/],
  ])('is refused where %j means nothing', (more, message) => {
    expect(() => transducer().addAdapter('one', { ...lora, ...more })).toThrow(message);
  });

  it('beside a weight that a loss reads itself is refused', () => {
    const inJoint = () => transducer().addAdapter('joint:one', { ...lora, target_modules: ['joint_net.*'] });
    expect(inJoint).toThrow(/names no linear map/);
    const byName = () => transducer().addAdapter('joint:one', { ...lora, target_modules: ['*joint_net.*'] });
    expect(byName).toThrow(/would not hear of an adapter/);
    const decoder = { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 };
    const ctc = EncDecCTCModel.fromConfig(tinyModel({ decoder, joint: undefined }), { engine });
    expect(() => ctc.addAdapter('decoder:one', { ...lora, target_modules: ['*decoder_layers*'] })).not.toThrow(); // biome-ignore format: one line
  });
});

describe('LoRA in a language model', () => {
  it.each([
    [{ target_modules: ['all'] }, 8],
    [{ target_modules: ['all'], variant: 'canonical' }, 2 * (3 + 1 + 2 + 1)],
    [{ target_modules: ['q_proj', 'v_proj'] }, 4],
    [{ target_modules: ['linear_fc1_up', 'down_proj'], layer_selection: [2] }, 2],
    [{ target_modules: ['attention_qkv'], layer_selection: [1] }, 1],
  ])('%j adds what the formula says', async (more, count) => {
    const model = gpt();
    const before = await logitsOf(model);
    model.addAdapter('lora', { ...lora, ...more });
    const names = [...model.stateDict().keys()].filter((name) => name.includes('.adapter_layer.lora.'));
    expect(names).toHaveLength(2 * count);
    expect(await logitsOf(model)).toEqual(before);
    await shake(model);
    const adapted = await logitsOf(model);
    expect(apart(adapted, before)).toBeGreaterThan(1e-2);
    // The same numbers from plain arithmetic: B·A of each part goes to its own rows, two to a group of queries.
    const plain = gpt();
    for (const [path, adapter] of adaptersOf(model)) {
      const map = [...plain.modules()].find((module) => module.path === path) as Linear;
      const weight = Float32Array.from((await engine.read(map.weight)) as Float32Array);
      for (const [part, { narrow, wide, rank }] of adapter.pairs) {
        const [a, b] = [await engine.read(narrow), await engine.read(wide)] as Float32Array[];
        const own = Array.from({ length: map.outFeatures }, (_, row) => row).filter((row) => partAt(path, row, part)); // biome-ignore format: one line
        expect(own).toHaveLength(b.length / rank);
        for (const [i, row] of own.entries())
          for (let j = 0; j < map.inFeatures; j++)
            for (let k = 0; k < rank; k++) weight[row * map.inFeatures + j] += 2 * b[i * rank + k] * a[k * map.inFeatures + j]; // biome-ignore format: one line
      }
      await engine.write(map.weight, weight);
    }
    expect(apart(await logitsOf(plain), adapted)).toBeLessThan(1e-4);
    await model.mergeAdapters('lora');
    expect(apart(await logitsOf(model), adapted)).toBeLessThan(1e-4);
  });
});

function adaptersOf(model: MegatronGPTModel): [string, LowRankAdapter][] {
  const maps = [...model.modules()].filter((module) => module instanceof Linear);
  return maps.flatMap((map): [string, LowRankAdapter][] => {
    const update = map.updateOf('lora');
    return update ? [[map.path, update as LowRankAdapter]] : [];
  });
}

/** Whether a row belongs to a part: groups of two queries, a key and a value of 4 numbers each; the gate, then the rest. */
function partAt(path: string, row: number, part: string): boolean {
  if (part === '') return true;
  if (path.endsWith('query_key_value')) return ['q', 'q', 'k', 'v'][Math.floor((row % 16) / 4)] === part;
  return (row < 64 ? 'gate' : 'up') === part;
}
