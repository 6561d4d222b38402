import { describe, expect, it } from 'vitest';
import {
  ctcCosts,
  type JointPicksOptions,
  jointPicks,
  type LatticeImplementation,
  type LossReduction,
  rnntLoss,
  transducerCosts,
} from '../../src/asr/index.js';
import {
  createReferenceEngine,
  float32,
  int32,
  OnnxEngine,
  type Program,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { evaluate, gradientError, maxDifference, randomTensor } from '../nn/support.js';
import { formula, type GoldenArray, golden } from './golden.js';

interface LossEntry {
  readonly loss: GoldenArray;
  readonly grad: GoldenArray;
}
interface LossGolden {
  readonly inputs: { labels: number[][]; T: number[]; U: number[]; blank: number };
  readonly ctc: {
    labels: number[][];
    T: number[];
    U: number[];
    blank: number;
    loss: GoldenArray;
    grad_wrt_log_probs_torch_convention: GoldenArray;
  };
  readonly [entry: string]: unknown;
}

const implementations: readonly LatticeImplementation[] = ['scan', 'host'];

describe.each(['losses_main', 'losses_v1'])('RNN-T against %s', (name) => {
  const file = golden<LossGolden>(name);
  const { labels, T, U, blank } = file.inputs;
  const logits = float32(
    formula(2 * 4 * 4 * 5, (i) => 2 * Math.sin(0.73 * i + 0.4)),
    [2, 4, 4, 5],
  );
  const inputs = { targets: int32(labels.flat(), [2, 3]), frames: int32(T, [2]), tokens: int32(U, [2]) };

  const run = async (reduction: LossReduction, fastEmit: number, implementation: LatticeImplementation) =>
    evaluate(
      ({ logits, targets, frames, tokens }) => {
        const loss = (x: Tensor): Tensor =>
          rnntLoss({ logits: x, targets, frames, tokens, blank }, reduction, { fastEmit, implementation });
        return { loss: loss(logits), gradient: tf.grad((x) => tf.sum(loss(x)))(logits) };
      },
      { logits, ...inputs },
    );

  it.each([
    ['plain', 'none', 0],
    ['torch_reference', 'none', 0],
    ['fastemit0.01', 'none', 0.01],
    ['mean_batch', 'mean_batch', 0],
    ['mean', 'mean', 0],
    ['mean_volume', 'mean_volume', 0],
    ['sum', 'sum', 0],
  ] as const)('%s', async (entry, reduction, fastEmit) => {
    const expected = file[entry] as LossEntry;
    for (const implementation of implementations) {
      const { loss, gradient } = await run(reduction, fastEmit, implementation);
      expect(maxDifference(loss.data, expected.loss.data)).toBeLessThan(1e-5);
      expect(maxDifference(gradient.data, expected.grad.data)).toBeLessThan(1e-6);
    }
  });

  it('clamp0.1', async () => {
    // A joint whose hidden layer is one-hot in (frame, row) has the logits as its weights, and the
    // gradient of the weights is that of the logits.
    const expected = file['clamp0.1'] as LossEntry;
    const points = Array.from({ length: 16 }, (_, j) => ({ t: j >> 2, u: j & 3 }));
    const half = (hit: boolean): number => (hit ? 0.5 : -0.5);
    const encoder = [0, 1, 2, 3].flatMap((t) => points.map((point) => half(point.t === t)));
    const prediction = [0, 1, 2, 3].flatMap((u) => points.map((point) => half(point.u === u)));
    for (const b of [0, 1]) {
      const logitsOf = logits.data.subarray(b * 80, b * 80 + 80);
      const transposed = Float32Array.from(
        { length: 80 },
        (_, i) => logitsOf[(i % 16) * 5 + Math.floor(i / 16)],
      );
      const { gradient } = await evaluate(
        ({ encoder, prediction, weight, bias, targets, frames, tokens }) => ({
          gradient: tf.grad((weight) => {
            const picks = jointPicks(
              { encoder, prediction, weight, bias, targets, blank },
              { activation: 'relu', dropout: 0, maxElements: 1e9, clamp: 0.1 },
            );
            return tf.sum(transducerCosts({ picks, frames, tokens }));
          })(weight),
        }),
        {
          encoder: float32(encoder, [1, 4, 16]),
          prediction: float32(prediction, [1, 4, 16]),
          weight: float32(transposed, [5, 16]),
          bias: float32(new Float32Array(5), [5]),
          targets: int32(labels[b], [1, 3]),
          frames: int32([T[b]], [1]),
          tokens: int32([U[b]], [1]),
        },
      );
      const back = Float32Array.from(
        { length: 80 },
        (_, i) => gradient.data[(i % 5) * 16 + Math.floor(i / 5)],
      );
      expect(maxDifference(back, expected.grad.data.slice(b * 80, b * 80 + 80))).toBeLessThan(1e-6);
    }
  });
});

describe('transducer lattice', () => {
  it('sums over all paths (enumerated)', async () => {
    const [rows, width] = [3, 3];
    const picks = randomTensor([1, rows, width, 2], 5);
    const at = (u: number, t: number, arc: number): number => picks.data[2 * (u * width + t) + arc];
    const paths = (u: number, t: number, score: number): number[] => {
      const result: number[] = [];
      if (t === width - 1 && u === rows - 1) return [score + at(u, t, 0)];
      if (t < width - 1) result.push(...paths(u, t + 1, score + at(u, t, 0)));
      if (u < rows - 1) result.push(...paths(u + 1, t, score + at(u, t, 1)));
      return result;
    };
    const scores = paths(0, 0, 0);
    expect(scores.length).toBe(6);
    const expected = -Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
    for (const implementation of implementations) {
      const { cost } = await evaluate(
        ({ picks, frames, tokens }) => ({
          cost: transducerCosts({ picks, frames, tokens }, { implementation }),
        }),
        { picks, frames: int32([width], [1]), tokens: int32([rows - 1], [1]) },
      );
      expect(cost.data[0]).toBeCloseTo(expected, 4);
    }
  });

  it.each(implementations)(
    '%s: gradient equals finite differences, with padding and an empty target',
    async (implementation) => {
      const error = await gradientError(
        ({ picks, frames, tokens }) => transducerCosts({ picks, frames, tokens }, { implementation }),
        { picks: randomTensor([3, 4, 5, 2], 3) },
        { constant: { frames: int32([5, 3, 4], [3]), tokens: int32([3, 2, 0], [3]) }, samples: 120 },
      );
      expect(error).toBeLessThan(5e-3);
    },
  );

  it('stays finite on long lattices with tiny probabilities', async () => {
    const picks = float32(new Float32Array(2 * 20 * 60).fill(-60), [1, 20, 60, 2]);
    const { gradient } = await evaluate(
      ({ picks, frames, tokens }) => ({
        gradient: tf.grad((x) => tf.sum(transducerCosts({ picks: x, frames, tokens })))(picks),
      }),
      { picks, frames: int32([60], [1]), tokens: int32([19], [1]) },
    );
    const total = [...gradient.data].reduce((a, b) => a + b, 0);
    expect(total).toBeCloseTo(-79, 1);
  });
});

describe('joint picks', () => {
  const sizes = { batch: 2, frames: 5, rows: 3, hidden: 4, classes: 6 };
  const tensors = {
    encoder: randomTensor([sizes.batch, sizes.frames, sizes.hidden], 1),
    prediction: randomTensor([sizes.batch, sizes.rows, sizes.hidden], 2),
    weight: randomTensor([sizes.classes, sizes.hidden], 3),
    bias: randomTensor([sizes.classes], 4),
  };
  const constant = { targets: int32([0, 2, 4, 1], [2, 2]) };
  const picks = (options: Partial<JointPicksOptions>) => (t: Record<string, Tensor>) =>
    jointPicks(
      {
        encoder: t['encoder'],
        prediction: t['prediction'],
        weight: t['weight'],
        bias: t['bias'],
        targets: t['targets'],
        blank: sizes.classes - 1,
      },
      { activation: 'tanh', dropout: 0, maxElements: 1e9, clamp: 0, ...options },
    );

  it.each([
    ['one block', 1e9, 0, 'tanh'],
    ['three pieces', 1e9, 0, 'tanh', 80],
    ['three pieces, dropout', 1e9, 0.3, 'relu', 80],
    ['three blocks', 80, 0, 'tanh'],
    ['a block per frame', 1, 0, 'sigmoid'],
    ['one block, dropout', 1e9, 0.3, 'tanh'],
    ['one block, dropout, relu', 1e9, 0.3, 'relu'],
    ['three blocks, dropout, relu', 80, 0.3, 'relu'],
    ['three blocks, dropout', 80, 0.3, 'tanh'],
  ] as const)(
    'gradient equals finite differences: %s',
    async (_name, maxElements, dropout, activation, pieceElements?: number) => {
      const options = { maxElements, dropout, activation, pieceElements };
      const error = await gradientError(picks(options), tensors, { constant });
      expect(error).toBeLessThan(5e-3);
    },
  );

  it('has the same bits where log-probabilities are computed again, in less memory', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const step = (recomputes: boolean) =>
      engine.compile('joint', (t) => {
        const f = picks({ activation: 'relu', dropout: 0.3, pieceElements: 80, recomputes });
        const loss = (x: Tensor) => tf.sum(tf.square(f({ ...t, encoder: x })));
        return { value: loss(t['encoder']), gradient: tf.grad(loss)(t['encoder']) };
      });
    const [kept, again] = [step(false), step(true)];
    const inputs = { ...tensors, ...constant };
    const run = (program: Program) => program.run(inputs, { random: new CounterRandom(4) });
    expect(await run(again)).toEqual(await run(kept));
    const wide = { ...inputs, encoder: randomTensor([2, 300, 4], 9) };
    const [most, less] = [kept, again].map((program) => program.peakBytes?.(wide) as number);
    expect(less).toBeLessThan(most);
    await engine.dispose();
  });

  it('does not depend on the block size', async () => {
    const all = { ...tensors, ...constant };
    const program = (maxElements: number) =>
      evaluate((t) => {
        const f = picks({ maxElements, activation: 'relu' });
        const gradient = tf.grad((x) => tf.sum(tf.square(f({ ...t, encoder: x }))))(t['encoder']);
        return { y: f(t), gradient };
      }, all);
    const whole = await program(1e9);
    const blocks = await program(80);
    expect(maxDifference(whole['y'].data, blocks['y'].data)).toBeLessThan(1e-6);
    expect(maxDifference(whole['gradient'].data, blocks['gradient'].data)).toBeLessThan(1e-4);
  });
});

describe('CTC', () => {
  const file = golden<LossGolden>('losses_main');
  const { labels, T, U, blank } = file.ctc;
  const logits = float32(
    formula(2 * 6 * 5, (i) => 2 * Math.sin(0.83 * i + 0.1)),
    [2, 6, 5],
  );
  const inputs = { targets: int32(labels.flat(), [2, 3]), frames: int32(T, [2]), tokens: int32(U, [2]) };

  it.each(implementations)('%s equals PyTorch', async (implementation) => {
    const { costs, gradient } = await evaluate(
      ({ logits, targets, frames, tokens }) => {
        const loss = (x: Tensor): Tensor =>
          ctcCosts(
            { logProbabilities: tf.logSoftmax(x), targets, frames, tokens, blank },
            { implementation },
          );
        return { costs: loss(logits), gradient: tf.grad((x) => tf.sum(loss(x)))(logits) };
      },
      { logits, ...inputs },
    );
    expect(maxDifference(costs.data, file.ctc.loss.data)).toBeLessThan(1e-5);
    // PyTorch's convention already holds the softmax term, so it is the gradient of the logits.
    expect(maxDifference(gradient.data, file.ctc.grad_wrt_log_probs_torch_convention.data)).toBeLessThan(
      1e-6,
    );
  });

  it.each(implementations)(
    '%s: impossible targets cost nothing, or infinity if asked',
    async (implementation) => {
      const engine = createReferenceEngine();
      const run = (zeroInfinity: boolean) =>
        engine
          .compile('ctc', ({ lp, targets, frames, tokens }) => {
            const f = (x: Tensor): Tensor =>
              ctcCosts(
                { logProbabilities: x, targets, frames, tokens, blank },
                { implementation, zeroInfinity },
              );
            return { costs: f(lp), gradient: tf.grad((x) => tf.sum(f(x)))(lp) };
          })
          .run({
            lp: randomTensor([2, 3, 5], 1),
            targets: int32([1, 1, 1, 2, 0, 0], [2, 3]),
            frames: int32([3, 3], [2]),
            tokens: int32([3, 1], [2]),
          });
      const zero = await run(true);
      expect(zero['costs'].data[0]).toBe(0);
      expect(maxDifference(zero['gradient'].data.slice(0, 15), new Float32Array(15))).toBe(0);
      expect(Number.isFinite(zero['costs'].data[1])).toBe(true);
      expect((await run(false))['costs'].data[0]).toBe(Number.POSITIVE_INFINITY);
    },
  );

  it.each(implementations)('%s: gradient equals finite differences', async (implementation) => {
    const error = await gradientError(
      ({ lp, targets, frames, tokens }) =>
        ctcCosts({ logProbabilities: lp, targets, frames, tokens, blank: 4 }, { implementation }),
      { lp: randomTensor([3, 6, 5], 3) },
      {
        constant: {
          targets: int32([0, 1, 1, 2, 3, 0, 0, 0, 0], [3, 3]),
          frames: int32([6, 4, 5], [3]),
          tokens: int32([3, 2, 0], [3]),
        },
        samples: 90,
      },
    );
    expect(error).toBeLessThan(5e-3);
  });
});
