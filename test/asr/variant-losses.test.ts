// TDT and multi-blank losses against NeMo's PyTorch classes (golden), against enumeration of all paths and
// finite differences, and on the compiling engine.
import { describe, expect, it } from 'vitest';
import {
  arcLatticeCosts,
  jointPicks,
  type TransducerVariant,
  transducerCosts,
  transducerLoss,
  variantCosts,
} from '../../src/asr/index.js';
import {
  createReferenceEngine,
  float32,
  int32,
  OnnxEngine,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { evaluate, gradientError, maxDifference, randomTensor } from '../nn/support.js';
import { formula, type GoldenArray, golden } from './golden.js';

interface VariantGolden {
  readonly inputs: { labels: number[][]; T: number[]; U: number[]; blank: number };
  readonly tdt: { durations: number[]; sigma: number; loss: GoldenArray; grad: GoldenArray };
  readonly multiblank: {
    blank: number;
    big_blank_durations: number[];
    sigma: number;
    loss: GoldenArray;
    grad: GoldenArray;
  };
}

const tdt = (durations: number[]): TransducerVariant => ({ kind: 'tdt', durations });
const multiblank = (durations: number[]): TransducerVariant => ({ kind: 'multiblank', durations });

describe.each(['losses_main', 'losses_v1'])('%s', (name) => {
  const file = golden<VariantGolden>(name);
  const { labels, T, U } = file.inputs;
  const lengths = { targets: int32(labels.flat(), [2, 3]), frames: int32(T, [2]), tokens: int32(U, [2]) };

  it.each([
    ['tdt', tdt(file.tdt.durations), 8, [0.57, 0.9], file.tdt],
    ['multiblank', multiblank(file.multiblank.big_blank_durations), 7, [0.61, 0.2], file.multiblank],
  ] as const)('%s', async (_name, variant, outputs, [a, b], expected) => {
    const size = 2 * 4 * 4 * outputs;
    const logits = float32(
      formula(size, (i) => 2 * Math.sin(a * i + b)),
      [2, 4, 4, outputs],
    );
    for (const engine of [createReferenceEngine(), new OnnxEngine({ threads: 1 })]) {
      const { loss, gradient } = await evaluate(
        ({ logits, targets, frames, tokens }) => {
          const f = (x: Tensor): Tensor =>
            transducerLoss({ logits: x, targets, frames, tokens, vocabulary: 4 }, variant, 'none', {
              sigma: expected.sigma,
            });
          return { loss: f(logits), gradient: tf.grad((x) => tf.sum(f(x)))(logits) };
        },
        { logits, ...lengths },
        engine,
      );
      await engine.dispose();
      expect(maxDifference(loss.data, expected.loss.data)).toBeLessThan(1e-5);
      expect(maxDifference(gradient.data, expected.grad.data)).toBeLessThan(1e-6);
    }
  });
});

interface SkippingLoss {
  readonly durations: number[];
  readonly sigma: number;
  readonly shape: number[];
  readonly labels: number[][];
  readonly frames: number[];
  readonly tokens: number[];
  readonly loss: number[];
  readonly gradient: number[];
}

describe('durations that leave out 0 or 1', () => {
  const { losses } = golden<{ losses: SkippingLoss[] }>('skipping_durations');

  it.each(losses.map((one) => [`${one.durations}, sigma ${one.sigma}`, one] as const))(
    "%s: loss and gradient are those of NeMo's class",
    async (_name, { durations, sigma, shape, labels, frames, tokens, loss, gradient }) => {
      const size = shape.reduce((a, b) => a * b);
      const logits = float32(
        formula(size, (i) => 2 * Math.sin(0.57 * i + 0.9)),
        shape,
      );
      const lengths = {
        targets: int32(labels.flat(), [2, 3]),
        frames: int32(frames, [2]),
        tokens: int32(tokens, [2]),
      };
      for (const engine of [createReferenceEngine(), new OnnxEngine({ threads: 1 })]) {
        const found = await evaluate(
          ({ logits, ...lengths }) => {
            const f = (x: Tensor): Tensor =>
              transducerLoss(
                { logits: x, ...lengths, vocabulary: 4 } as Parameters<typeof transducerLoss>[0],
                tdt(durations),
                'none',
                { sigma },
              );
            return { loss: f(logits), gradient: tf.grad((x) => tf.sum(f(x)))(logits) };
          },
          { logits, ...lengths },
          engine,
        );
        await engine.dispose();
        expect(maxDifference(found['loss'].data, loss)).toBeLessThan(1e-5);
        expect(maxDifference(found['gradient'].data, gradient)).toBeLessThan(1e-6);
      }
    },
  );

  it.each([
    ['more tokens than frames', [1, 2, 4, 8], 3, 3],
    ['an odd length and even durations', [0, 2, 4], 5, 1],
  ] as const)('%s: no path, a constant cost as in NeMo and no gradient', async (_name, durations, t, u) => {
    const picks = randomTensor([2, 4, 6, 2 + durations.length], 5);
    const inputs = { picks, frames: int32([t, 6], [2]), tokens: int32([u, 1], [2]) };
    const { cost, gradient } = await evaluate(({ picks, frames, tokens }) => {
      const f = (picks: Tensor): Tensor => variantCosts({ picks, frames, tokens }, tdt([...durations]));
      return { cost: f(picks), gradient: tf.grad((x) => tf.sum(f(x)))(picks) };
    }, inputs);
    expect(cost.data[0]).toBe(1e4);
    expect(cost.data[1]).toBeLessThan(100);
    const size = gradient.data.length / 2;
    expect(gradient.data.slice(0, size).every((value) => value === 0)).toBe(true);
    expect(gradient.data.slice(size).some((value) => value !== 0)).toBe(true);
  });
});

/** log Σ over all paths, written as the definition says: walk every sequence of arcs. */
function enumerate(
  variant: TransducerVariant,
  pick: (u: number, t: number, arc: number) => number,
  frames: number,
  tokens: number,
): number {
  const scores: number[] = [];
  const walk = (u: number, t: number, score: number): void => {
    if (t === frames && u === tokens) scores.push(score);
    if (t >= frames) return;
    const go = (du: number, dt: number, value: number): void => {
      if (du === 1 && (u === tokens || t + dt >= frames)) return;
      walk(u + du, t + dt, score + value);
    };
    if (variant.kind === 'tdt') {
      variant.durations.forEach((d, i) => {
        if (d > 0) go(0, d, pick(u, t, 0) + pick(u, t, 2 + i));
        go(1, d, pick(u, t, 1) + pick(u, t, 2 + i));
      });
    } else {
      go(0, 1, pick(u, t, 0));
      go(1, 0, pick(u, t, 1));
      if (variant.kind === 'multiblank') {
        for (const [i, d] of variant.durations.entries()) go(0, d, pick(u, t, 2 + i));
      }
    }
  };
  walk(0, 0, 0);
  return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
}

const variants: readonly (readonly [string, TransducerVariant, number])[] = [
  ['rnnt', { kind: 'rnnt' }, 2],
  ['tdt 0 1 2 3', tdt([0, 1, 2, 3]), 6],
  ['tdt 0 1', tdt([0, 1]), 4],
  ['tdt 0 1 8: longer than the utterance', tdt([0, 1, 8]), 5],
  ['tdt 1 2 4: without 0', tdt([1, 2, 4]), 5],
  ['tdt 1 2 4 8: without 0, longer than the utterance', tdt([1, 2, 4, 8]), 6],
  ['tdt 0 2 3: without 1', tdt([0, 2, 3]), 5],
  ['multi-blank 2 4', multiblank([2, 4]), 4],
];

describe.each(variants)('%s', (_name, variant, arcs) => {
  const picks = randomTensor([2, 4, 5, arcs], 11);
  const lengths = { frames: int32([5, 3], [2]), tokens: int32([3, 1], [2]) };

  it('sums over all paths (enumerated), less sigma at each token and blank', async () => {
    const sigma = 0.1;
    const { cost } = await evaluate(
      ({ picks, frames, tokens }) => ({
        cost: variantCosts({ picks, frames, tokens }, variant, { sigma }),
      }),
      { picks, ...lengths },
    );
    const under = (arc: number): number =>
      variant.kind === 'rnnt' || (variant.kind === 'tdt' && arc > 1) ? 0 : sigma;
    [0, 1].forEach((b) => {
      const at = (u: number, t: number, arc: number): number =>
        picks.data[((b * 4 + u) * 5 + t) * arcs + arc] - under(arc);
      const expected = -enumerate(variant, at, lengths.frames.data[b], lengths.tokens.data[b]);
      expect(cost.data[b]).toBeCloseTo(expected, 4);
    });
  });

  it('gradient equals finite differences', async () => {
    const error = await gradientError(
      ({ picks, frames, tokens }) => variantCosts({ picks, frames, tokens }, variant),
      { picks },
      { constant: lengths, samples: 120 },
    );
    expect(error).toBeLessThan(5e-3);
  });

  it('is the same on the compiling engine, with FastEmit', async () => {
    const results = [];
    for (const engine of [createReferenceEngine(), new OnnxEngine({ threads: 1 })]) {
      results.push(
        await evaluate(
          ({ picks, frames, tokens }) => {
            const f = (x: Tensor): Tensor =>
              variantCosts({ picks: x, frames, tokens }, variant, { fastEmit: 0.1, sigma: 0.05 });
            return { costs: f(picks), gradient: tf.grad((x) => tf.sum(f(x)))(picks) };
          },
          { picks, ...lengths },
          engine,
        ),
      );
      await engine.dispose();
    }
    for (const key of ['costs', 'gradient']) {
      expect(maxDifference(results[0][key].data, results[1][key].data)).toBeLessThan(1e-4);
    }
  });
});

describe('FastEmit', () => {
  it('scales the gradient of labels alone, as NeMo does, and the reported cost', async () => {
    const picks = randomTensor([1, 3, 4, 5], 4);
    const out = await evaluate(
      ({ picks, frames, tokens }) => {
        const f =
          (fastEmit: number) =>
          (x: Tensor): Tensor =>
            tf.sum(variantCosts({ picks: x, frames, tokens }, tdt([0, 1, 2]), { fastEmit }));
        return {
          cost: f(0)(picks),
          scaled: f(0.3)(picks),
          gradient: tf.grad(f(0))(picks),
          changed: tf.grad(f(0.3))(picks),
        };
      },
      { picks, frames: int32([4], [1]), tokens: int32([2], [1]) },
    );
    const [cost, scaled] = [out['cost'].data[0], out['scaled'].data[0]];
    expect(scaled).toBeCloseTo(1.3 * cost, 4);
    const expected = out['gradient'].data.map((value, i) => (i % 5 === 1 ? 1.3 * value : value));
    expect(maxDifference(out['changed'].data, expected)).toBeLessThan(1e-6);
  });
});

describe('arc lattice', () => {
  const picks = randomTensor([3, 4, 6, 2], 4);
  const lengths = { frames: int32([6, 3, 5], [3]), tokens: int32([3, 0, 2], [3]) };
  const arcs = [
    { frames: 1, label: false, picks: [0] },
    { frames: 0, label: true, picks: [1] },
  ];

  it('with the arcs of RNN-T is the RNN-T lattice, FastEmit included', async () => {
    const { same, other, gradient, expected } = await evaluate(
      ({ picks, frames, tokens }) => {
        const general = (x: Tensor): Tensor =>
          arcLatticeCosts({ picks: x, frames, tokens }, { arcs, fastEmit: 0.2, label: 1 });
        const plain = (x: Tensor): Tensor => transducerCosts({ picks: x, frames, tokens }, { fastEmit: 0.2 });
        return {
          same: general(picks),
          other: plain(picks),
          gradient: tf.grad((x) => tf.sum(general(x)))(picks),
          expected: tf.grad((x) => tf.sum(plain(x)))(picks),
        };
      },
      { picks, ...lengths },
    );
    expect(maxDifference(same.data, other.data)).toBeLessThan(1e-5);
    expect(maxDifference(gradient.data, expected.data)).toBeLessThan(1e-5);
  });

  it('gives no gradient where no path exists, and a finite cost', async () => {
    const { costs, gradient } = await evaluate(
      ({ picks, frames, tokens }) => {
        const f = (x: Tensor): Tensor =>
          arcLatticeCosts(
            { picks: x, frames, tokens },
            { arcs: [{ ...arcs[0], frames: 2 }, arcs[1]], label: 1 },
          );
        return { costs: f(picks), gradient: tf.grad((x) => tf.sum(f(x)))(picks) };
      },
      { picks, ...lengths },
    );
    // Steps of two frames reach the end of six frames, but not of three or five.
    expect([...costs.data].map((cost) => cost < 100)).toEqual([true, false, false]);
    expect(maxDifference(gradient.data.slice(48), new Float32Array(96))).toBe(0);
    expect(gradient.data.slice(0, 48).some((value) => value < -0.1)).toBe(true);
  });
});

describe('omega', () => {
  it('takes the RNN-T loss of the tokens for that share of the batches', async () => {
    const picks = randomTensor([2, 3, 4, 5], 4);
    const lengths = { frames: int32([4, 3], [2]), tokens: int32([2, 1], [2]) };
    const engine = createReferenceEngine();
    const program = engine.compile('omega', ({ picks, frames, tokens }) => {
      const input = { picks, frames, tokens };
      const [first] = tf.split(picks, [2, 3], 3);
      return {
        mixed: variantCosts(input, tdt([0, 1, 2]), { sigma: 0.1, omega: 0.25 }),
        tdt: variantCosts(input, tdt([0, 1, 2]), { sigma: 0.1 }),
        rnnt: transducerCosts({ ...input, picks: first }),
      };
    });
    let plain = 0;
    for (let step = 0; step < 200; step++) {
      const out = await program.run({ picks, ...lengths }, { random: new CounterRandom(step) });
      const isPlain = Math.abs(out['mixed'].data[0] - out['rnnt'].data[0]) < 1e-5;
      const expected = isPlain ? out['rnnt'] : out['tdt'];
      expect(maxDifference(out['mixed'].data, expected.data)).toBeLessThan(1e-5);
      if (isPlain) plain++;
    }
    expect(plain).toBeGreaterThan(30);
    expect(plain).toBeLessThan(70);
  });
});

describe('a joint with two heads', () => {
  const tensors = {
    encoder: randomTensor([2, 5, 4], 1),
    prediction: randomTensor([2, 3, 4], 2),
    weight: randomTensor([8, 4], 3),
    bias: randomTensor([8], 4),
  };
  const constant = { targets: int32([0, 2, 4, 1], [2, 2]) };
  const heads = [
    { size: 5, arcs: [4, 'label'] as const },
    { size: 3, arcs: [0, 1, 2], normalise: 'none' as const },
  ];
  const picks =
    (maxElements: number, dropout: number, pieceElements?: number) => (t: Record<string, Tensor>) =>
      jointPicks(
        {
          encoder: t['encoder'],
          prediction: t['prediction'],
          weight: t['weight'],
          bias: t['bias'],
          targets: t['targets'],
          blank: 4,
          heads,
        },
        { activation: 'tanh', dropout, maxElements, pieceElements, clamp: 0 },
      );

  it.each([
    ['one block', 1e9, 0],
    ['pieces, dropout', 1e9, 0.3, 80],
    ['blocks, dropout', 80, 0.3],
  ] as const)(
    'gradient equals finite differences: %s',
    async (_name, maxElements, dropout, pieces?: number) => {
      expect(await gradientError(picks(maxElements, dropout, pieces), tensors, { constant })).toBeLessThan(
        5e-3,
      );
    },
  );

  it('normalises each head by itself', async () => {
    const { y } = await evaluate((t) => ({ y: picks(1e9, 0)(t) }), { ...tensors, ...constant });
    const hidden = [0, 1, 2, 3].map((j) => Math.tanh(tensors.encoder.data[j] + tensors.prediction.data[j]));
    const logits = Array.from({ length: 8 }, (_, k) =>
      hidden.reduce((sum, h, j) => sum + h * tensors.weight.data[k * 4 + j], tensors.bias.data[k]),
    );
    const total = Math.log(logits.slice(0, 5).reduce((sum, x) => sum + Math.exp(x), 0));
    const expected = [logits[4] - total, logits[0] - total, ...logits.slice(5)];
    expect(maxDifference(y.data.slice(0, 5), expected)).toBeLessThan(1e-5);
  });
});
