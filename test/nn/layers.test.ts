import { describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  float32,
  int32,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import {
  attentionMask,
  BatchNorm,
  depthwiseConv1d,
  dropout,
  Embedding,
  evaluationPass,
  frameMask,
  glu,
  Lstm,
  layerNormOp,
  linear,
  lstmRecurrence,
  relativeShift,
  silu,
  stochasticDepth,
  stochasticDepthSchedule,
  trainingPass,
} from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { evaluate, gradientError, maxDifference, randomTensor } from './support.js';

const tolerance = 5e-3;

describe('gradients against finite differences', () => {
  it('linear', async () => {
    const error = await gradientError(({ x, w, b }) => linear(x, w, b), {
      x: randomTensor([2, 3, 4], 1),
      w: randomTensor([5, 4], 2),
      b: randomTensor([5], 3),
    });
    expect(error).toBeLessThan(tolerance);
  });

  it('layer norm', async () => {
    const error = await gradientError(({ x, w, b }) => layerNormOp(x, w, b, 1e-5), {
      x: randomTensor([2, 3, 6], 1),
      w: randomTensor([6], 2),
      b: randomTensor([6], 3),
    });
    expect(error).toBeLessThan(tolerance);
  });

  it('silu and glu', async () => {
    const x = randomTensor([3, 8], 1);
    expect(await gradientError(({ x }) => silu(x), { x })).toBeLessThan(tolerance);
    expect(await gradientError(({ x }) => glu(x), { x })).toBeLessThan(tolerance);
  });

  it('dropout', async () => {
    const x = randomTensor([4, 8], 1);
    const error = await gradientError(({ x }) => dropout(x, 0.4, trainingPass), { x });
    expect(error).toBeLessThan(tolerance);
  });

  it('batch norm in training', async () => {
    const norm = new BatchNorm(4);
    const error = await gradientError(({ x }) => norm.forward(x, trainingPass), {
      x: randomTensor([2, 5, 4], 1),
    });
    expect(error).toBeLessThan(tolerance);
  });

  it.each([
    [7, 5, 2],
    [40, 5, 4],
    [70, 9, 4],
    [3, 9, 4],
    [5, 1, 0],
  ])('depthwise convolution, %i frames, kernel %i, %i before', async (frames, width, left) => {
    const error = await gradientError(({ x, w }) => depthwiseConv1d(x, w, left), {
      x: randomTensor([2, frames, 3], 1),
      w: randomTensor([3, width], 2),
    });
    expect(error).toBeLessThan(tolerance);
  });

  it('LSTM recurrence', async () => {
    const error = await gradientError(({ x, w, h, c }) => lstmRecurrence(x, w, h, c), {
      x: randomTensor([4, 2, 12], 1),
      w: randomTensor([12, 3], 2),
      h: randomTensor([2, 3], 3),
      c: randomTensor([2, 3], 4),
    });
    expect(error).toBeLessThan(tolerance);
  });

  it.each([
    ['forwards', false],
    ['backwards', true],
  ])('LSTM recurrence with projected outputs, %s', async (_, reverse) => {
    const error = await gradientError(
      ({ x, w, h, c, projection }) => lstmRecurrence(x, w, h, c, { projection, reverse }),
      {
        x: randomTensor([4, 2, 12], 1),
        w: randomTensor([12, 2], 2),
        h: randomTensor([2, 2], 3),
        c: randomTensor([2, 3], 4),
        projection: randomTensor([2, 3], 5),
      },
    );
    expect(error).toBeLessThan(tolerance);
  });

  it('relative shift', async () => {
    const x = randomTensor([2, 2, 4, 7], 1);
    expect(await gradientError(({ x }) => relativeShift(x), { x })).toBeLessThan(tolerance);
  });
});

describe('values', () => {
  it('depthwise convolution equals its definition', async () => {
    const [batch, frames, channels, width, left] = [2, 37, 3, 7, 4];
    const x = randomTensor([batch, frames, channels], 1);
    const w = randomTensor([channels, width], 2);
    const { y } = await evaluate(({ x, w }) => ({ y: depthwiseConv1d(x, w, left) }), { x, w });
    const expected = new Float32Array(x.data.length);
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < frames; t++) {
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let j = 0; j < width; j++) {
            const s = t + j - left;
            if (s >= 0 && s < frames) sum += w.data[c * width + j] * x.data[(b * frames + s) * channels + c];
          }
          expected[(b * frames + t) * channels + c] = sum;
        }
      }
    }
    expect(maxDifference(y.data, expected)).toBeLessThan(1e-5);
  });

  it('relative shift picks column T-1-i+j', async () => {
    for (const frames of [1, 2, 5]) {
      const columns = 2 * frames - 1;
      const x = randomTensor([1, 1, frames, columns], 1);
      const { y } = await evaluate(({ x }) => ({ y: relativeShift(x) }), { x });
      for (let i = 0; i < frames; i++) {
        for (let j = 0; j < frames; j++) {
          expect(y.data[i * frames + j]).toBe(x.data[i * columns + frames - 1 - i + j]);
        }
      }
    }
  });

  it('batch norm follows PyTorch: biased in the output, unbiased in the running variance', async () => {
    const engine = createReferenceEngine();
    const norm = new BatchNorm(1);
    const train = engine.compile('train', ({ x }) => ({ y: norm.forward(x, trainingPass) }));
    const out = await train.run({ x: float32([1, 2, 3, 6], [1, 4, 1]) });
    expect(out['y'].data[0]).toBeCloseTo((1 - 3) / Math.sqrt(3.5 + 1e-5), 5);
    expect((await engine.read(norm.runningMean))[0]).toBeCloseTo(0.3, 6);
    expect((await engine.read(norm.runningVar))[0]).toBeCloseTo(0.9 + (0.1 * 14) / 3, 6);
    expect((await engine.read(norm.batchesTracked))[0]).toBe(1);
    const evaluation = engine.compile('eval', ({ x }) => ({ y: norm.forward(x, evaluationPass) }));
    const result = await evaluation.run({ x: float32([1], [1, 1, 1]) });
    expect(result['y'].data[0]).toBeCloseTo(0.7 / Math.sqrt(0.9 + 1.4 / 3 + 1e-5), 5);
  });

  it('running statistics survive differentiation', async () => {
    const engine = createReferenceEngine();
    const norm = new BatchNorm(1);
    const program = engine.compile('train', ({ x }) => {
      const [gradient] = tf.grads((x: Tensor) => tf.sum(tf.square(norm.forward(x, trainingPass))))([x]);
      return { gradient };
    });
    await program.run({ x: float32([1, 2, 3, 6], [1, 4, 1]) });
    expect((await engine.read(norm.runningMean))[0]).toBeCloseTo(0.3, 6);
  });

  it('embedding gives its padding row no gradient', async () => {
    const table = new Embedding(3, 2, { paddingIndex: 2 });
    const { gradient, start } = await evaluate(
      ({ ids }) => {
        const weight = table.weight.tensor();
        const { grads } = valueAndGrads(() => tf.sum(table.forward(ids)), [table.weight]);
        return { gradient: grads[0], start: weight };
      },
      { ids: int32([0, 2, 0, 1], [2, 2]) },
    );
    expect([...gradient.data]).toEqual([2, 2, 1, 1, 0, 0]);
    expect([...start.data.slice(4)]).toEqual([0, 0]);
  });

  it.each([
    ['', {}],
    [', projected', { projectionSize: 2 }],
  ])('LSTM steps equal the whole sequence%s', async (_, more) => {
    const lstm = new Lstm({ inputSize: 3, hiddenSize: 4, layers: 2, ...more });
    const width = lstm.outputSize;
    const x = randomTensor([5, 2, 3], 1);
    const { whole, stepped } = await evaluate(
      ({ x }) => {
        let states = [0, 1].map(() => ({ h: tf.zeros([2, width]), c: tf.zeros([2, 4]) }) as never) as never[];
        const outputs: Tensor[] = [];
        for (const slice of tf.unstack(x, 0)) {
          states = lstm.step(slice, states) as never[];
          outputs.push((states[1] as { h: Tensor }).h);
        }
        return { whole: lstm.forward(x, evaluationPass), stepped: tf.stack(outputs) };
      },
      { x },
    );
    expect(maxDifference(whole.data, stepped.data)).toBeLessThan(1e-6);
  });

  it('an LSTM of both directions does not see padding, nor does its gradient', async () => {
    const lstm = new Lstm({ inputSize: 3, hiddenSize: 4, projectionSize: 2, bidirectional: true });
    const x = randomTensor([6, 2, 3], 1);
    const { whole, padded, alone, gradient } = await evaluate(
      ({ x }) => {
        const first = tf.slice(x, [0, 0, 0], [4, 2, 3]);
        const valid = tf.tensor(
          [1, 1, 1, 1, 0, 0].flatMap((v) => [v, v]),
          [6, 2, 1],
        );
        const run = (x: Tensor) => tf.slice(lstm.forward(x, evaluationPass, valid), [0, 0, 0], [4, 2, 4]);
        return {
          whole: tf.slice(lstm.forward(x, evaluationPass), [0, 0, 0], [4, 2, 4]),
          padded: run(x),
          alone: lstm.forward(first, evaluationPass),
          gradient: tf.grad((x) => tf.sum(tf.square(run(x))))(x),
        };
      },
      { x },
    );
    expect(maxDifference(padded.data, alone.data)).toBeLessThan(1e-6);
    expect(maxDifference(whole.data, alone.data)).toBeGreaterThan(1e-3);
    expect(gradient.data.slice(24).every((value) => value === 0)).toBe(true);
    expect(gradient.data.slice(0, 24).every((value) => value !== 0)).toBe(true);
  });

  it('dropout keeps the mean and the asked share, and does nothing in evaluation', async () => {
    const x = float32(new Float32Array(20000).fill(1), [200, 100]);
    const { y, same } = await evaluate(
      ({ x }) => ({ y: dropout(x, 0.25, trainingPass), same: dropout(x, 0.25, evaluationPass) }),
      { x },
    );
    const kept = y.data.filter((v) => v > 0);
    expect(Math.abs(kept.length / 20000 - 0.75)).toBeLessThan(0.02);
    expect(kept[0]).toBeCloseTo(4 / 3, 6);
    expect(same.data[0]).toBe(1);
  });

  it('stochastic depth is all or nothing', async () => {
    const engine = createReferenceEngine();
    const program = engine.compile('depth', ({ x, y }) => ({ z: stochasticDepth(x, y, 0.5, trainingPass) }));
    const seen = new Set<number>();
    for (let seed = 0; seed < 20; seed++) {
      const out = await program.run(
        { x: float32([1], [1]), y: float32([2], [1]) },
        { random: new CounterRandom(seed) },
      );
      seen.add(out['z'].data[0]);
    }
    expect([...seen].sort()).toEqual([1, 3]);
    expect(stochasticDepthSchedule(4, 0.3, 'linear', 1).map((p) => +p.toFixed(4))).toEqual([
      0, 0.1, 0.2, 0.3,
    ]);
    expect(stochasticDepthSchedule(3, 0.3, 'uniform', 2)).toEqual([0, 0, 0.3]);
  });

  it('attention masks follow lengths and contexts', async () => {
    const rows = async (style: 'regular' | 'chunked_limited', left: number, right: number) => {
      const { bias } = await evaluate(
        ({ lengths }) => ({ bias: attentionMask(frameMask(lengths, 6), { style, left, right }).bias }),
        { lengths: int32([5], [1]) },
      );
      return Array.from({ length: 6 }, (_, i) =>
        [...bias.data.slice(i * 6, i * 6 + 6)].map((v) => (v === 0 ? 'x' : '.')).join(''),
      );
    };
    expect(await rows('regular', 1, 2)).toEqual(['xxx...', 'xxxx..', '.xxxx.', '..xxx.', '...xx.', '......']);
    expect(await rows('chunked_limited', 2, 1)).toEqual([
      'xx....', 'xx....', 'xxxx..', 'xxxx..', '..xxx.', '......',
    ]); // biome-ignore format: a picture
  });
});
