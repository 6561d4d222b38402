// Ten accumulated batches of different sizes give the loss and the gradient of the one large batch that they are cut from,
// for every family and reduction; so does validation with the loss.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  EncDecCTCModel,
  EncDecHybridRNNTCTCModel,
  EncDecRNNTModel,
  type SpeechModel,
} from '../../src/asr/index.js';
import {
  createReferenceEngine,
  type Engine,
  float32,
  type HostTensor,
  type HostTensors,
  int32,
} from '../../src/engine/index.js';
import type { Batch } from '../../src/model/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { GradientProbe } from '../training/gradient-probe.js';
import { multitask, promptedInputs } from './families.js';
import { tinyModel } from './support.js';
import { batchOf } from './training.js';

/**
 * Gradients are measured as a share of the largest of their tensor. Single precision: seen are 2e-6 at most, where the mean of
 * the batches is off by 5e-2 and more.
 */
const TOLERANCE = 2e-5;
const SIZES = [1, 2, 1, 3, 1, 1, 2, 1, 1, 1];
const TEXTS = ['a', 'ca', 'b', 'ab'];
const rows = SIZES.reduce((sum, size) => sum + size);
const texts = Array.from({ length: rows }, (_, i) => TEXTS[(3 * i + (i >> 2)) % TEXTS.length]);

let engine: Engine;
beforeEach(() => {
  engine = createReferenceEngine();
});
afterEach(() => engine.dispose());

const decoder = { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 };
/** Batch statistics are those of the batch: a norm of its own for each utterance has none. */
const encoder = {
  _target_: 'ConformerEncoder',
  feat_in: 16,
  n_layers: 1,
  d_model: 8,
  n_heads: 2,
  conv_kernel_size: 3,
  conv_norm_type: 'layer_norm',
  subsampling: 'stacking',
  dropout: 0,
  dropout_pre_encoder: 0,
  dropout_emb: 0,
  dropout_att: 0,
};
const parts = { encoder };

const ctc = (changes: object) =>
  EncDecCTCModel.fromConfig(tinyModel({ ...parts, decoder, joint: undefined, ...changes }), { seed: 3, engine }); // biome-ignore format: one line reads better
const rnnt = (changes: object) =>
  EncDecRNNTModel.fromConfig(tinyModel({ ...parts, ...changes }), { seed: 3, engine });
const hybrid = ({ ctc: reduction, ...changes }: { ctc: string; [key: string]: unknown }) =>
  EncDecHybridRNNTCTCModel.fromConfig(
    tinyModel({
      ...parts,
      aux_ctc: { ctc_loss_weight: 0.3, ctc_reduction: reduction, decoder },
      ...changes,
    }),
    { seed: 3, engine },
  );

async function adapted(changes: object): Promise<SpeechModel> {
  const model = rnnt(changes);
  model.addAdapter('encoder:one', {
    _target_: 'LinearAdapter',
    dim: 3,
    adapter_strategy: { _target_: 'ResidualAddAdapterStrategy', l2_lambda: 0.3 },
  });
  for (const parameter of model.parameters()) {
    if (!parameter.name.includes('adapter_layer')) continue;
    const random = new CounterRandom(5, parameter.name);
    await engine.write(
      parameter,
      Float32Array.from({ length: parameter.size }, (_, i) => 0.3 * random.normal(i)),
    );
  }
  return model;
}

async function attention(): Promise<{ model: SpeechModel; large: Batch }> {
  const model = multitask(engine, 8, { encoder, use_loss_mask_for_prompt: true });
  const inputs = promptedInputs({ batch: rows, tokens: 6, width: 8 });
  const targetLengths = int32(
    Array.from({ length: rows }, (_, i) => 2 + ((3 * i) % 5)),
    [rows],
  );
  return { model, large: named({ ...inputs, targetLengths }) };
}

const deep = { ...encoder, n_layers: 2 };
const interctc = { loss_weights: [0.3], apply_at_layers: [0] };
const reductions = ['mean_batch', 'mean', 'mean_volume', 'sum'] as const;
const cases: readonly (readonly [string, () => Promise<{ model: SpeechModel; large: Batch }>])[] = [
  ...reductions.map(
    (reduction) => [`CTC, ${reduction}`, () => made(ctc({ ctc_reduction: reduction }))] as const,
  ),
  ...reductions.map((reduction) => [`RNN-T, ${reduction}`, () => made(rnnt({ rnnt_reduction: reduction }))] as const), // biome-ignore format: one line reads better
  ['cross-entropy', attention],
  ['inner CTC', () => made(ctc({ ctc_reduction: 'mean_volume', interctc, encoder: deep }))],
  ['hybrid of one reduction', () => made(hybrid({ ctc: 'mean_batch' }))],
  ['hybrid of two', () => made(hybrid({ ctc: 'mean_volume', interctc, encoder: deep }))],
  ['hybrid of a mean and a sum', () => made(hybrid({ ctc: 'sum', rnnt_reduction: 'mean_volume' }))],
  ['adapters with a cost', async () => made(await adapted({ rnnt_reduction: 'mean_volume' }))],
];

function made(model: SpeechModel): Promise<{ model: SpeechModel; large: Batch }> {
  return Promise.resolve({ model, large: batchOf(model, texts) });
}

describe.each(cases)('%s', (_name, make) => {
  it('has the gradient and the loss of one large batch', async () => {
    const { model, large } = await make();
    const probe = new GradientProbe(engine, model);
    const whole = await probe.run([large]);
    const cut = await probe.run(batchesOf(large));
    expect(cut.result).toMatchObject({ committed: true, refused: [], empty: [] });
    expect(relative(cut.result.loss, whole.result.loss)).toBeLessThan(TOLERANCE);
    for (const [log, value] of Object.entries(whole.result.logs)) {
      expect(relative(cut.result.logs[log], value), log).toBeLessThan(TOLERANCE);
    }
    expect(furthest(cut.gradients, whole.gradients)).toBeLessThan(TOLERANCE);
    probe.dispose();
  });
});

const judged = ['CTC, mean_volume', 'RNN-T, sum', 'cross-entropy', 'hybrid of two'];
describe.each(cases.filter(([name]) => judged.includes(name)))('%s', (name, make) => {
  it('has the validation losses of one large batch', async () => {
    const { model, large } = await make();
    const [wanted, found] = [await validated(model, [large]), await validated(model, batchesOf(large))];
    const losses = Object.keys(wanted).filter((key) => key.includes('loss'));
    expect(losses).toContain('loss');
    expect(losses.length).toBe(name === 'hybrid of two' ? 5 : 1);
    for (const loss of losses) expect(relative(found[loss], wanted[loss]), loss).toBeLessThan(TOLERANCE);
  });

  it('is another than the mean of the batches', async () => {
    const { model, large } = await make();
    const whole = await new GradientProbe(engine, model).run([large]);
    const alike = new GradientProbe(engine, model, { accumulation: 'mean_of_batches' });
    const { gradients } = await alike.run(batchesOf(large));
    expect(furthest(gradients, whole.gradients)).toBeGreaterThan(1e-2);
  });
});

async function validated(model: SpeechModel, batches: readonly Batch[]): Promise<Record<string, number>> {
  const evaluator = model.evaluator(engine);
  for (const batch of batches) await evaluator.add(batch);
  return { ...evaluator.summary().metrics };
}

/** The batch in ten parts. */
function batchesOf({ inputs }: Batch): Batch[] {
  let from = 0;
  return SIZES.map((size) => {
    from += size;
    return named(rowsOf(inputs, from - size, size));
  });
}

function named(inputs: HostTensors): Batch {
  const size = inputs['features'].shape[0];
  const names = Array.from({ length: size }, (_, i) => `${i}.wav`);
  return { inputs, size, units: size, names, texts: names.map(() => '') };
}

function rowsOf(inputs: HostTensors, from: number, size: number): HostTensors {
  const cut = ([name, { dtype, shape, data }]: [string, HostTensor]) => {
    const [count, ...rest] = shape;
    const row = data.length / count;
    const values = data.slice(from * row, (from + size) * row);
    const own = [size, ...rest];
    return [
      name,
      dtype === 'int32' ? int32(values as Int32Array, own) : float32(values as Float32Array, own),
    ];
  };
  return Object.fromEntries(Object.entries(inputs).map(cut)) as HostTensors;
}

const relative = (found: number, wanted: number) => Math.abs(found - wanted) / Math.abs(wanted);

/** The largest difference of a tensor, as a share of its largest number; those without a gradient but for rounding aside. */
function furthest(
  found: ReadonlyMap<string, Float32Array>,
  wanted: ReadonlyMap<string, Float32Array>,
): number {
  const most = (values: Float32Array) =>
    values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const all = Math.max(...[...wanted.values()].map(most));
  const shares = [...wanted].map(([name, values]) => {
    const scale = most(values);
    const worst = most(values.map((value, i) => value - found.get(name)![i]));
    return scale < 1e-4 * all ? 0 : worst / scale;
  });
  return Math.max(...shares);
}
