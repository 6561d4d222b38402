// The losses and the joint on the compiling engine against the reference engine.
import { describe, expect, it } from 'vitest';
import { ctcCosts, jointPicks, transducerCosts } from '../../src/asr/index.js';
import {
  createReferenceEngine,
  type HostTensor,
  int32,
  OnnxEngine,
  type Tensor,
  tf,
} from '../../src/engine/index.js';
import { evaluate, maxDifference, randomTensor } from '../nn/support.js';

type Inputs = Record<string, HostTensor>;

async function compare(
  inputs: Inputs,
  by: string,
  costs: (tensors: Record<string, Tensor>) => Tensor,
  tolerance = 1e-4,
): Promise<void> {
  const results = [];
  for (const engine of [createReferenceEngine(), new OnnxEngine({ threads: 1 })]) {
    results.push(
      await evaluate(
        (tensors) => ({
          costs: costs(tensors),
          gradient: tf.grad((x) => tf.sum(costs({ ...tensors, [by]: x })))(tensors[by]),
        }),
        inputs,
        engine,
      ),
    );
    await engine.dispose();
  }
  for (const key of ['costs', 'gradient']) {
    expect(maxDifference(results[0][key].data, results[1][key].data)).toBeLessThan(tolerance);
  }
}

describe.each(['scan', 'host'] as const)('%s', (implementation) => {
  it('transducer', async () => {
    const inputs = {
      picks: randomTensor([3, 5, 9, 2], 1),
      frames: int32([9, 4, 7], [3]),
      tokens: int32([4, 2, 0], [3]),
    };
    await compare(inputs, 'picks', ({ picks, frames, tokens }) =>
      transducerCosts({ picks, frames, tokens }, { implementation, fastEmit: 0.01 }),
    );
  });

  it('CTC', async () => {
    const inputs = {
      lp: randomTensor([3, 9, 5], 1),
      targets: int32([0, 1, 1, 2, 3, 0, 0, 0, 0], [3, 3]),
      frames: int32([9, 4, 7], [3]),
      tokens: int32([3, 2, 0], [3]),
    };
    await compare(inputs, 'lp', ({ lp, targets, frames, tokens }) =>
      ctcCosts({ logProbabilities: lp, targets, frames, tokens, blank: 4 }, { implementation }),
    );
  });
});

describe.each([
  ['pieces', 1e9, 90, false],
  ['pieces, computed again', 1e9, 90, true],
  ['blocks', 90, 1e9, false],
] as const)('joint in %s', (_name, maxElements, pieceElements, recomputes) => {
  it.each(['relu', 'tanh'] as const)('%s', async (activation) => {
    const inputs = {
      encoder: randomTensor([2, 7, 4], 1),
      prediction: randomTensor([2, 3, 4], 2),
      weight: randomTensor([6, 4], 3),
      bias: randomTensor([6], 4),
      targets: int32([0, 2, 4, 1], [2, 2]),
    };
    for (const by of ['encoder', 'prediction', 'weight', 'bias']) {
      await compare(inputs, by, ({ encoder, prediction, weight, bias, targets }) =>
        jointPicks(
          { encoder, prediction, weight, bias, targets, blank: 5 },
          { activation, dropout: 0.25, maxElements, pieceElements, recomputes, clamp: 0 },
        ),
      );
    }
  });
});

describe('the joint of a batch that is larger than its bound', () => {
  /** Bytes of a step at its peak, with a bound that the log-probabilities fit or do not. */
  const peak = (maxElements: number): number => {
    const engine = new OnnxEngine({ threads: 1 });
    const program = engine.compile('joint', ({ encoder, prediction, weight, bias, targets }) => ({
      gradient: tf.grad((encoder) =>
        tf.sum(
          jointPicks(
            { encoder, prediction, weight, bias, targets, blank: 63 },
            { activation: 'relu', dropout: 0.25, maxElements, pieceElements: 2 ** 13, clamp: 0 },
          ),
        ),
      )(encoder),
    }));
    const spec = (...shape: number[]) => ({ dtype: 'float32' as const, shape });
    const inputs = {
      encoder: spec(2, 128, 64),
      prediction: spec(2, 9, 64),
      weight: spec(64, 64),
      bias: spec(64),
    };
    return program.peakBytes?.({ ...inputs, targets: { dtype: 'int32', shape: [2, 8] } }) ?? Number.NaN;
  };

  it('takes less memory than one that just fits, not several tensors of the size of the bound', () => {
    const whole = 2 * 128 * 9 * 64;
    expect(peak(whole - 1)).toBeLessThan(peak(whole));
    expect(peak(whole - 1)).toBeLessThan(4 * whole);
  });
});
