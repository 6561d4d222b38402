// Rows that share a sample of MegatronGPTSFTModel do not see each other: neither in what the network computes nor in its gradients.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFromConfig } from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { configFromObject } from '../../src/config/index.js';
import {
  type HostTensor,
  type HostTensors,
  int32,
  OnnxEngine,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { MegatronGPTModel, type MegatronGPTSFTModel } from '../../src/lm/index.js';
import { evaluationPass, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { Trainer } from '../../src/training/index.js';

const folder = mkdtempSync(join(tmpdir(), 'packed-'));
afterAll(() => rmSync(folder, { recursive: true }));
const LENGTH = 48;
const file = join(folder, 'rows.jsonl');
const rows = ['a', 'bb', 'third', 'dddd', 'five', 'f'];
const line = (input: string) => JSON.stringify({ input: `${input}?`, output: input.toUpperCase() });
writeFileSync(file, rows.map(line).join('\n'));

const gpt = {
  encoder_seq_length: LENGTH, num_layers: 2, hidden_size: 32, num_attention_heads: 4, init_method_std: 0.3,
  tokenizer: { library: 'byte-level' },
}; // biome-ignore format: a table
/** Of the model that is tuned, and `tuned`: of how. */
interface Kind extends Readonly<Record<string, unknown>> {
  readonly tuned?: object;
}
const kinds: Readonly<Record<string, Kind>> = {
  'learned positions': {},
  'rotary positions, groups of heads, a window': { position_embedding_type: 'rope', num_query_groups: 2, normalization: 'rmsnorm', window_size: [5, 0] }, // biome-ignore format: one line
  'ALiBi, NormFormer, scaled heads': { position_embedding_type: 'alibi', transformer_block_type: 'normformer', headscale: true }, // biome-ignore format: one line
  'learned positions, layers checkpointed': { tuned: { activations_checkpoint_granularity: 'full', activations_checkpoint_method: 'uniform', activations_checkpoint_num_layers: 1 } }, // biome-ignore format: one line
};
const lora = { peft_scheme: 'lora', lora_tuning: { adapter_dim: 3, target_modules: ['all'], row_init_method: 'normal' } }; // biome-ignore format: one line

async function opened({ tuned = {}, ...kind }: Kind, peft: object, data: object) {
  const base = join(folder, 'base.nemo');
  const engine = new OnnxEngine({ threads: 1 });
  await MegatronGPTModel.fromConfig(configFromObject({ ...gpt, ...kind }), { engine, seed: 2 }).saveTo(base, { engine }); // biome-ignore format: one line
  await engine.dispose();
  const trainer = new Trainer({ max_steps: 1 }, { container: createDefaultContainer() });
  const train_ds = { file_names: [file], max_seq_length: LENGTH, shuffle: false, drop_last: false, ...data };
  const model = {
    restore_from_path: base,
    micro_batch_size: 1,
    global_batch_size: 1,
    peft,
    data: { train_ds },
  };
  const made = await createFromConfig(configFromObject({ model }), trainer);
  return { trainer, model: made as unknown as MegatronGPTSFTModel };
}

interface Step {
  readonly loss: number;
  readonly weight: number;
  readonly gradients: readonly Float32Array[];
  readonly logits: Float32Array;
}

/** Loss, gradients of all that is trained, and logits of each batch. */
async function steps({ trainer, model }: Awaited<ReturnType<typeof opened>>, batches: Iterable<HostTensors>) {
  const parameters = [...model.parameters()].filter(({ trainable }) => trainable);
  const program = trainer.engine.compile('gradients', (inputs) => {
    let weight = inputs['lossMask'];
    const { value, grads } = valueAndGrads(() => {
      const step = model.trainingStep(inputs, trainingPass);
      weight = tf.keep(tf.clone(step.weight as Tensor));
      return step.loss;
    }, parameters);
    const { tokens, positions, documents } = inputs;
    const logits = model.network.logits({ tokens, positions, documents }, evaluationPass);
    return { loss: value, weight, logits, ...Object.fromEntries(grads.map((grad, i) => [`g${i}`, grad])) };
  });
  const found: Step[] = [];
  for (const inputs of batches) {
    const out = await program.run(inputs, { random: new CounterRandom(1) });
    const copy = (name: string) => Float32Array.from(out[name].data as Float32Array);
    const gradients = parameters.map((_, i) => copy(`g${i}`));
    found.push({
      loss: out['loss'].data[0],
      weight: out['weight'].data[0],
      gradients,
      logits: copy('logits'),
    });
  }
  program.dispose();
  return { found, names: parameters.map(({ name }) => name) };
}

async function batchesOf(model: MegatronGPTSFTModel): Promise<HostTensors[]> {
  const inputs: HostTensors[] = [];
  for await (const batch of (await model.trainingSource())?.epoch(0) ?? []) inputs.push(batch.inputs);
  return inputs;
}

/** Σ weight · gradient / Σ weight, of each parameter. */
function weighted(all: readonly Step[]): Float64Array[] {
  const total = all.reduce((sum, { weight }) => sum + weight, 0);
  return all[0].gradients.map(
    (first, i) =>
    Float64Array.from(first, (_, j) => all.reduce((sum, { weight, gradients }) => sum + (weight / total) * gradients[i][j], 0)), // biome-ignore format: one line
  );
}

const tunings = [
  ['the whole model', { peft_scheme: null }],
  ['an adapter', lora],
] as const;

describe.each(Object.entries(kinds))('%s', (_, kind) => {
  it.each(tunings)('the gradient of packed rows is that of the rows apart: %s', async (_, peft) => {
    const packed = await opened(kind, peft, { packed_sequence: true });
    const alone = await opened(kind, peft, {});
    const [samples, singles] = [await batchesOf(packed.model), await batchesOf(alone.model)];
    expect(singles).toHaveLength(rows.length);
    expect(samples.length).toBeLessThan(rows.length / 2);
    const { found, names } = await steps(packed, samples);
    const apart = (await steps(alone, singles)).found;
    const mean = (all: readonly Step[]) =>
      all.reduce((sum, { loss, weight }) => sum + loss * weight, 0) /
      all.reduce((sum, { weight }) => sum + weight, 0);
    expect(mean(found)).toBeCloseTo(mean(apart), 5);
    const [ours, theirs] = [weighted(found), weighted(apart)];
    const largest = Math.max(...theirs.map((gradient) => Math.max(...gradient.map(Math.abs))));
    for (const [i, gradient] of theirs.entries()) {
      // A gradient that is 0 but for rounding has no size of its own.
      const size = Math.max(...gradient.map(Math.abs), 1e-3 * largest);
      const apartBy = gradient.reduce((most, value, j) => Math.max(most, Math.abs(ours[i][j] - value)), 0);
      expect(apartBy / size, names[i]).toBeLessThan(1e-4);
    }
    await packed.trainer.dispose();
    await alone.trainer.dispose();
  });

  it('another row beside it changes neither logits nor gradients of a row, to the last bit', async () => {
    const packed = await opened(kind, { peft_scheme: null }, { packed_sequence: true });
    const [inputs] = await batchesOf(packed.model);
    const documents = inputs['documents'].data as Int32Array;
    const count = Math.max(...documents) + 1;
    expect(count).toBeGreaterThan(1);
    for (let own = 0; own < count; own++) {
      const isOwn = Array.from(documents, (document) => document === own);
      const learned = mapped(inputs['lossMask'], (value, i) => (isOwn[i] ? value : 0));
      const tokens = mapped(inputs['tokens'], (token, i) => (isOwn[i] ? token : (token * 7 + 3) % 256));
      const { found, names } = await steps(packed, [
        { ...inputs, lossMask: learned },
        { ...inputs, lossMask: learned, tokens: int32(tokens.data as Int32Array, tokens.shape) },
      ]);
      const [before, after] = found;
      const ofOwn = ({ logits }: Step) => logits.filter((_, i) => isOwn[Math.floor(i / (logits.length / LENGTH))]); // biome-ignore format: one line
      expect(ofOwn(after)).toEqual(ofOwn(before));
      expect(after.logits).not.toEqual(before.logits);
      expect(after.loss).toBe(before.loss);
      for (const [i, gradient] of before.gradients.entries())
        expect(
          after.gradients[i].every((value, j) => value === gradient[j]),
          names[i],
        ).toBe(true);
      expect(before.gradients.some((gradient) => gradient.some((value) => value !== 0))).toBe(true);
    }
    await packed.trainer.dispose();
  });
});

function mapped<T extends HostTensor>(tensor: T, fn: (value: number, i: number) => number): T {
  return { ...tensor, data: (tensor.data as Float32Array).map(fn) };
}
