// Local attention against attention over everything, computed frame by frame in plain numbers.
import { describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  type Engine,
  float32,
  int32,
  OnnxEngine,
  sizeOf,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import {
  attentionMask,
  evaluationPass,
  frameMask,
  LocalMultiHeadAttention,
  localAttentionMask,
  localPositions,
  type Module,
  RelativeMultiHeadAttention,
  relativePositions,
  trainingPass,
} from '../../src/nn/index.js';
import { maxDifference, randomTensor } from './support.js';

const [batch, frames, width, heads] = [2, 17, 6, 2];
const perHead = width / heads;
const lengths = [17, 12];

async function fill(engine: Engine, module: Module): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  let seed = 20;
  for (const [name, state] of module.stateDict()) {
    const data = randomTensor([sizeOf(state.shape)], seed++, 0.5).data as Float32Array;
    values.set(name, data);
    await engine.write(state, data);
  }
  return values;
}

function softmax(scores: readonly number[]): number[] {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, v, i) => sum + v * b[i], 0);

/** What each frame gets: softmax over its neighbours and, once more, over the global frames. */
function expected(
  x: Float32Array,
  states: Map<string, Float32Array>,
  options: { left: number; right: number; global: number[]; separate: boolean },
): Float32Array {
  const { left, right, global, separate } = options;
  const table = new Map<number, number[]>();
  for (let ahead = -left; ahead <= right; ahead++) {
    table.set(
      ahead,
      Array.from({ length: width }, (_, i) => {
        const angle = -ahead * Math.exp((-Math.log(10000) * (i - (i % 2))) / width);
        return i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
      }),
    );
  }
  const apply = (name: string, row: readonly number[]): number[] => {
    const weight = states.get(`${name}.weight`)!;
    const bias = states.get(`${name}.bias`);
    return Array.from(
      { length: width },
      (_, o) => (bias?.[o] ?? 0) + dot(row, [...weight.subarray(o * width, (o + 1) * width)]),
    );
  };
  const out = new Float32Array(batch * frames * width);
  for (let b = 0; b < batch; b++) {
    const rows = Array.from({ length: frames }, (_, t) => [
      ...x.subarray((b * frames + t) * width, (b * frames + t + 1) * width),
    ]);
    const project = (name: string): number[][] => rows.map((row) => apply(name, row));
    const [q, k, v] = ['linear_q', 'linear_k', 'linear_v'].map(project);
    const [gq, gk, gv] = separate ? ['global_q', 'global_k', 'global_v'].map(project) : [q, k, v];
    const merged = rows.map(() => new Array<number>(width).fill(0));
    for (let h = 0; h < heads; h++) {
      const part = (row: readonly number[]): number[] => row.slice(h * perHead, (h + 1) * perHead);
      const u = [...states.get('pos_bias_u')!.subarray(h * perHead, (h + 1) * perHead)];
      const w = [...states.get('pos_bias_v')!.subarray(h * perHead, (h + 1) * perHead)];
      const root = Math.sqrt(perHead);
      for (let t = 0; t < lengths[b]; t++) {
        const add = (values: readonly number[]): number[] => part(q[t]).map((value, i) => value + values[i]);
        const keys = Array.from({ length: lengths[b] }, (_, j) => j).filter(
          (j) => j - t >= -left && j - t <= right,
        );
        const near = keys.map(
          (j) => (dot(add(u), part(k[j])) + dot(add(w), part(apply('linear_pos', table.get(j - t)!)))) / root,
        );
        const far = global.map((g) => dot(part(gq[t]), part(gk[g])) / root);
        const isGlobal = global.includes(t);
        const all = rows.map((_, j) => j).filter((j) => j < lengths[b]);
        const weights = isGlobal
          ? softmax(all.map((j) => dot(part(gq[t]), part(gk[j])) / root))
          : softmax([...far, ...near]);
        const values = isGlobal ? all.map((j) => gv[j]) : [...global, ...keys].map((j) => v[j]);
        values.forEach((value, n) => {
          part(value).forEach((number, i) => {
            merged[t][h * perHead + i] += weights[n] * number;
          });
        });
      }
    }
    for (let t = 0; t < lengths[b]; t++) out.set(apply('linear_out', merged[t]), (b * frames + t) * width);
  }
  return out;
}

describe.each([
  ['alone', 3, 3, 0, 1, false],
  ['wider than the utterance', 40, 40, 0, 1, false],
  ['with global frames', 3, 3, 2, 5, false],
  ['with global frames of their own projections', 2, 2, 3, 2, true],
] as const)('%s', (_name, left, right, count, spacing, separate) => {
  it('is what plain attention gives', async () => {
    const engine = createReferenceEngine();
    const module = new LocalMultiHeadAttention({
      width,
      heads,
      left,
      right,
      globalTokens: count,
      globalSpacing: spacing,
      globalSeparate: separate,
    });
    const states = await fill(engine, module);
    const x = randomTensor([batch, frames, width], 3);
    const program = engine.compile('attend', ({ x, lengths }) => {
      const mask = localAttentionMask(frameMask(lengths, frames), left, right);
      return { y: module.forward(x, mask, evaluationPass, localPositions(left, right, width)) };
    });
    const { y } = await program.run({ x, lengths: int32(lengths, [batch]) });
    const global = Array.from({ length: count }, (_, i) => i * spacing);
    const wanted = expected(x.data as Float32Array, states, { left, right, global, separate });
    // Padded frames are nobody's business.
    const real = float32(y.data as Float32Array, y.shape).data.map((value, i) =>
      Math.floor(i / width) % frames < lengths[Math.floor(i / (width * frames))] ? value : 0,
    );
    expect(maxDifference(real, wanted)).toBeLessThan(1e-5);
    await engine.dispose();
  });
});

it('takes memory that grows with the frames, not with their square', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const options = { width, heads, left: 16, right: 16, globalTokens: 1 };
  const local = new LocalMultiHeadAttention(options);
  const whole = new RelativeMultiHeadAttention({ width, heads });
  const training = (module: RelativeMultiHeadAttention) =>
    engine.compile('train', ({ x, lengths }) => {
      const time = x.shape[1]!;
      const valid = frameMask(lengths, time);
      const near = module === local;
      const mask = near
        ? localAttentionMask(valid, 16, 16)
        : attentionMask(valid, { style: 'regular', left: -1, right: -1 });
      const positions = near ? localPositions(16, 16, width) : relativePositions(time, width);
      const { value, grads } = valueAndGrads(
        () => tf.sum(tf.square(module.forward(x, mask, trainingPass, positions))),
        [...module.parameters()],
      );
      return { value, gradient: tf.concat(grads.map((grad) => tf.reshape(grad, [-1]))) };
    });
  const growth = (module: RelativeMultiHeadAttention): number => {
    const program = training(module);
    const bytes = [512, 1024].map(
      (time) =>
        program.peakBytes?.({
          x: { dtype: 'float32', shape: [1, time, width] },
          lengths: { dtype: 'int32', shape: [1] },
        }) ?? 0,
    );
    return bytes[1] / bytes[0];
  };
  expect(growth(local)).toBeLessThan(2.2);
  expect(growth(whole)).toBeGreaterThan(3.5);
  await engine.dispose();
});
