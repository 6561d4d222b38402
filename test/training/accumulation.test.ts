// Several batches in one step: sums and weights add up to one large batch, or batches count alike as in Lightning. What
// weighs nothing changes nothing.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  type Engine,
  float32,
  type LowType,
  OnnxEngine,
  type Tensor,
  type Tensors,
  tf,
  withProductsIn,
} from '../../src/engine/index.js';
import { type Batch, type StepOutput, weightedOutput } from '../../src/model/index.js';
import { addLosses, scaleLoss, weightedLoss } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { LossScale } from '../../src/training/fit/loss-scale.js';
import { Callback, expManager, Trainer } from '../../src/training/index.js';
import { GradientProbe, type ProbeOptions } from './gradient-probe.js';
import { RecordingView, temporaryFolder, weightsOf } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

const SIZES = [1, 5, 2, 3, 1, 4, 2, 1, 6, 2];
const ROWS = SIZES.reduce((sum, size) => sum + size);

type Loss = (squares: Tensor, tokens: Tensor) => StepOutput;

/** Squared errors and tokens, [B] each, become a loss. */
const losses: Readonly<Record<string, Loss>> = {
  'a plain mean': (squares) => ({ loss: tf.mean(squares), logs: { double: tf.mul(tf.mean(squares), 2) } }),
  'a mean over tokens': (squares, tokens) => tokenMean(squares, tokens),
  'a sum': (squares) => ({ loss: tf.sum(squares), weight: 'undivided' }),
  'a mean over tokens and one over examples': mixed,
};

function tokenMean(squares: Tensor, tokens: Tensor): StepOutput {
  const weight = tf.sum(tokens);
  const loss = tf.div(tf.sum(tf.mul(squares, tokens)), weight);
  return { loss, weight, logs: { double: tf.mul(loss, 2) } };
}

function mixed(squares: Tensor, tokens: Tensor): StepOutput {
  const count = tf.sum(tokens);
  const overTokens = tf.div(tf.sum(tf.mul(squares, tokens)), tf.maximum(count, 1));
  const first = weightedLoss(overTokens, { unit: 'tokens', count });
  const second = weightedLoss(tf.mean(tf.sqrt(tf.add(squares, 1))), 'examples');
  return weightedOutput(addLosses(scaleLoss(first, 0.25), scaleLoss(second, 0.75)), { first, second });
}

function toy(loss: Loss, options: ToyOptions = {}): ToyModel {
  const model = new ToyModel({ optim: { name: 'sgd', lr: 0.1 }, ...options });
  // Without dropout, which differs from row to row.
  const still = { training: false, tap: (_path: string, x: Tensor) => x };
  model.trainingStep = ({ x, y, tokens }: Tensors) =>
    loss(tf.squeeze(tf.squaredDifference(model.module.forward(x, still), y), [1]), tokens);
  return model;
}

/** Rows from..from+size of one set of examples. */
function rows(from: number, size: number, tokensOf = (i: number) => 1 + ((3 * i) % 5)): Batch {
  const random = new CounterRandom(3);
  const values = (per: number, stream: number) =>
    Float32Array.from({ length: size * per }, (_, i) => random.normal(1000 * stream + from * per + i));
  const tokens = Float32Array.from({ length: size }, (_, i) => tokensOf(from + i));
  return {
    inputs: {
      x: float32(values(4, 1), [size, 4]),
      y: float32(values(1, 2), [size, 1]),
      tokens: float32(tokens, [size]),
    },
    size,
    units: size,
    names: Array.from({ length: size }, (_, i) => `${from + i}.wav`),
  };
}

function tenBatches(): Batch[] {
  let from = 0;
  return SIZES.map((size) => {
    from += size;
    return rows(from - size, size);
  });
}

async function gradientOf(
  loss: Loss,
  batches: readonly Batch[],
  { whole, type, ...options }: ProbeOptions & { readonly whole?: number; readonly type?: LowType } = {},
) {
  const reference = createReferenceEngine();
  const engine = type ? withProductsIn(reference, type) : reference;
  const probe = new GradientProbe(engine, toy(loss), options);
  const { result, gradients } = await probe.run(batches, whole);
  await engine.dispose();
  return { result, gradient: [...gradients.values()].flatMap((values) => [...values]) };
}

function expectClose(found: readonly number[], wanted: readonly number[], most = 1e-6): void {
  const scale = Math.max(...wanted.map(Math.abs));
  const worst = Math.max(...wanted.map((value, i) => Math.abs(value - found[i])));
  expect(worst / scale).toBeLessThan(most);
}

describe.each(Object.entries(losses))('%s of ten accumulated batches', (_name, loss) => {
  it('is that of one large batch, and so is its gradient', async () => {
    const whole = await gradientOf(loss, [rows(0, ROWS)]);
    const cut = await gradientOf(loss, tenBatches());
    expectClose(cut.gradient, whole.gradient);
    expect(cut.result.loss).toBeCloseTo(whole.result.loss, 5);
    expect(Object.keys(cut.result.logs)).toEqual(Object.keys(whole.result.logs));
    for (const [name, value] of Object.entries(whole.result.logs)) {
      expect(cut.result.logs[name]).toBeCloseTo(value, 5);
    }
    expect(cut.result.gradNorm).toBeCloseTo(whole.result.gradNorm, 5);
  });

  // The sum over a batch is rounded where the mean over all was: to one place of the type.
  it.each([
    ['float16', 2 ** -10],
    ['bfloat16', 2 ** -7],
  ] as const)('is so with products in %s', async (type, place) => {
    const lossScale = type === 'float16' ? LossScale.from({ defaults: 'pytorch', init_scale: 128 } as never) : undefined; // biome-ignore format: one line reads better
    const whole = await gradientOf(loss, [rows(0, ROWS)], { type, lossScale });
    const cut = await gradientOf(loss, tenBatches(), { type, lossScale });
    const exact = await gradientOf(loss, [rows(0, ROWS)]);
    expect(whole.gradient).not.toEqual(exact.gradient);
    expectClose(cut.gradient, whole.gradient, place);
    expect(cut.result.loss / whole.result.loss).toBeCloseTo(1, 3);
  });

  it('is clipped when it has been divided', async () => {
    const clipping = { algorithm: 'norm', limit: 0.01 } as const;
    const { gradient, result } = await gradientOf(loss, tenBatches(), { clipping });
    const whole = await gradientOf(loss, [rows(0, ROWS)], { clipping });
    expectClose(gradient, whole.gradient);
    expect(Math.hypot(...gradient)).toBeCloseTo(0.01, 6);
    expect(result.gradNorm).toBeGreaterThan(0.02);
  });

  it('is the mean of the batches where that is asked for', async () => {
    const alone = await Promise.all(tenBatches().map((batch) => gradientOf(loss, [batch])));
    const means = alone[0].gradient.map((_, i) => alone.reduce((sum, one) => sum + one.gradient[i], 0) / 10);
    const { gradient, result } = await gradientOf(loss, tenBatches(), { accumulation: 'mean_of_batches' });
    expectClose(gradient, means);
    expect(result.loss).toBeCloseTo(alone.reduce((sum, one) => sum + one.result.loss, 0) / 10, 5);
    expect(gradient[0]).not.toBeCloseTo((await gradientOf(loss, tenBatches())).gradient[0], 3);
  });
});

describe('a mean of batches', () => {
  it('moves weights as in Lightning, at the end of an epoch too', async () => {
    const path = new URL('../golden/lightning_accumulation.json', import.meta.url);
    const golden = JSON.parse(readFileSync(path, 'utf8')) as { sizes: number[]; weight: number[]; steps: number[][] }; // biome-ignore format: one line reads better
    const engine = createReferenceEngine();
    const model = toy((squares) => ({ loss: tf.mean(squares) }), { batches: 5, validation: false });
    const [matrix, bias] = [...model.module.first.parameters()];
    // The first output of the first layer alone: a line through the origin.
    bias.trainable = false;
    const start = new Float32Array(matrix.size);
    for (const [row, value] of golden.weight.entries()) start[row * matrix.shape[1]] = value;
    await engine.write(matrix, start);
    model.trainingStep = ({ x, y }) => {
      const out = model.module.first.forward(x, { training: false, tap: (_path, t) => t });
      return { loss: tf.mean(tf.squaredDifference(tf.slice(out, [0, 0], [x.shape[0], 1]), y)) };
    };
    const batches = linesOf(golden.sizes);
    model.source.batch = (_epoch, i) => batches[i];
    const seen: number[][] = [];
    class Watch extends Callback {
      readonly name = 'watch';
      override async onStep(): Promise<void> {
        const values = await engine.read(matrix);
        seen.push(golden.weight.map((_, row) => values[row * matrix.shape[1]]));
      }
    }
    const config = { max_epochs: 2, accumulate_grad_batches: 3, accumulation: 'mean_of_batches' };
    await fitted(model, engine, config, [new Watch()]);
    expect(seen.length).toBe(golden.steps.length);
    for (const [i, step] of golden.steps.entries()) {
      for (const [k, value] of step.entries()) expect(seen[i][k]).toBeCloseTo(value, 6);
    }
  });
});

describe.each([
  ['reference', createReferenceEngine],
  ['onnxruntime', () => new OnnxEngine({ threads: 1 })],
] as const)('a batch of weight 0 on %s', (_name, make) => {
  // biome-ignore format: one line reads better
  const nothing = () => rows(40, 3, () => 0);

  it.each([undefined, 'mean_of_batches'] as const)(
    'changes nothing among others, %s',
    async (accumulation) => {
      const engine = make();
      const probe = new GradientProbe(engine, toy(tokenMean), { accumulation });
      const some = [rows(0, 3), rows(3, 5)];
      const without = await probe.run(some);
      for (const at of [0, 1, 2]) {
        const batches = [...some.slice(0, at), nothing(), ...some.slice(at)];
        const { result, gradients } = await probe.run(batches);
        expect(result).toMatchObject({ committed: true, refused: [], loss: without.result.loss });
        expect(result.logs).toEqual(without.result.logs);
        expect(result.empty.map(({ batch }) => batch)).toEqual([batches[at]]);
        expect(gradients).toEqual(without.gradients);
      }
      await engine.dispose();
    },
  );

  it.each([1, 2])('changes nothing alone, is counted and told: %s a step', async (count) => {
    const engine = make();
    const model = toy(tokenMean, { batches: 4, validation: false });
    model.source.batch = (_epoch, i) => (i < 2 ? nothing() : rows(i, 3));
    const before = await weightsOf(model, engine);
    const afterEach: number[][] = [];
    class Watch extends Callback {
      readonly name = 'watch';
      override async onStep(): Promise<void> {
        afterEach.push(await weightsOf(model, engine));
      }
    }
    const { result, view } = await fitted(model, engine, { max_epochs: 1, accumulate_grad_batches: count }, [new Watch()]); // biome-ignore format: one line reads better
    expect(afterEach[2 / count - 1]).toEqual(before);
    expect(afterEach.at(-1)).not.toEqual(before);
    expect(afterEach.flat().every(Number.isFinite)).toBe(true);
    expect(result.progress).toMatchObject({ batches: 4, updates: 2 / count, emptyBatches: 2 });
    expect(result.metrics['train/empty_batches']).toBe(2);
    const told = view.lines.filter((line) => line.includes('weighs 0'));
    expect(told.at(-1)).toMatch(/changed nothing \(2 so far\); utterances: .*40\.wav, 41\.wav, 42\.wav/);
    await engine.dispose();
  });
});

describe('a run that accumulates losses of two weights', () => {
  const config = { accumulate_grad_batches: 3, log_every_n_steps: 2 };
  const sized = () => {
    const model = toy(mixed, { optim: { name: 'adamw', lr: 0.02 }, validation: false });
    model.source.batch = (epoch, i) => rows(30 * epoch + 3 * i, SIZES[i], i === 4 ? () => 0 : undefined);
    return model;
  };

  async function trained(folder: string, maxSteps: number) {
    const engine = createReferenceEngine();
    const trainer = new Trainer({ ...config, max_steps: maxSteps, handle_signals: false }, { engine, view: new RecordingView() }); // biome-ignore format: one line reads better
    const files = { create_tensorboard_logger: false, create_report: false };
    await expManager(trainer, { explicit_log_dir: folder, name: 'toy', resume_if_exists: true, resume_ignore_no_checkpoint: true, ...files }); // biome-ignore format: one line reads better
    const model = sized();
    const { progress, metrics } = await trainer.fit(model);
    return { weights: await weightsOf(model, engine), progress, loss: metrics['train/loss'] };
  }

  it.each([1, 2, 5])('goes on in the middle of an epoch, bit for bit, after step %s', async (at) => {
    const whole = await trained(temporaryFolder(), 7);
    expect(whole.weights.every(Number.isFinite)).toBe(true);
    const folder = temporaryFolder();
    await trained(folder, at);
    const resumed = await trained(folder, 7);
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.loss).toBe(whole.loss);
    expect(resumed.progress).toMatchObject({ batches: whole.progress.batches });
  });
});

async function fitted(
  model: ToyModel,
  engine: Engine,
  config: Readonly<Record<string, unknown>>,
  callbacks: Callback[],
) {
  const view = new RecordingView();
  const settings = { handle_signals: false, log_every_n_steps: 1, num_sanity_val_steps: 0, ...config };
  const result = await new Trainer(settings, { engine, view, callbacks }).fit(model);
  return { result, view };
}

/** The batches of lightning_accumulation.py, with two features that are 0. */
function linesOf(sizes: readonly number[]): Batch[] {
  let from = 0;
  return sizes.map((size) => {
    const examples = Array.from({ length: size }, (_, k) => from + k);
    from += size;
    const x = examples.flatMap((i) => [(((i * 7) % 5) - 2) / 2, (((i * 3) % 7) - 3) / 3, 0, 0]);
    const y = examples.map((i) => (((i * 5) % 9) - 4) / 4);
    const inputs = {
      x: float32(Float32Array.from(x), [size, 4]),
      y: float32(Float32Array.from(y), [size, 1]),
    };
    return { inputs, size, units: size, names: examples.map(String) };
  });
}
