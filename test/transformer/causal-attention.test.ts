// Causal attention against the formula written out, and its gradients against finite differences.
import { afterAll, describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  OnnxEngine,
  State,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import {
  type CausalAttentionOptions,
  causalAttention,
} from '../../src/transformer/decoder/causal-attention.js';
import type { Case } from '../engine/conformance/cases.js';
import { expectClose, inputValues, numericGradients, runCase } from '../engine/conformance/run.js';
import { takeWay, WAYS } from '../engine/ways.js';

const [batch, length, size] = [2, 6, 2];
const reference = createReferenceEngine();
const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

const documents = () => tf.tensor2d([[0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 0]], [2, 6], 'int32'); // biome-ignore format: a table
const shapes = (heads: number, groups: number) => [[batch, heads, length, size], [batch, groups, length, size], [batch, groups, length, size]]; // biome-ignore format: one line

interface Kind extends Omit<CausalAttentionOptions, 'documents'> {
  readonly heads?: number;
  readonly groups?: number;
  readonly packed?: boolean;
}

function attention({ heads = 2, groups = 2, packed, ...options }: Kind): Case {
  return {
    name: 'attention',
    shapes: shapes(heads, groups),
    fn: ([q, k, v]) =>
      causalAttention(tf.mul(q, 2), k, v, { ...options, documents: packed ? documents() : undefined }),
  };
}

/** The formula, with keys and values repeated for each head and -1e9 for what is hidden. */
function plain({ heads = 2, groups = 2, packed, scale, window, softcap, slopes }: Kind): Case {
  const repeat = (x: Tensor) =>
    tf.reshape(tf.tile(tf.reshape(x, [batch, groups, 1, length * size]), [1, 1, heads / groups, 1]), [batch, heads, length, size]); // biome-ignore format: one call
  return {
    name: 'plain',
    shapes: shapes(heads, groups),
    fn: ([q, k, v]) => {
      const scores = tf.mul(tf.matMul(tf.mul(q, 2), repeat(k), false, true), scale ?? Math.SQRT1_2);
      const bent = softcap ? tf.mul(tf.tanh(tf.div(scores, softcap)), softcap) : scores;
      const hidden = Float32Array.from({ length: batch * length * length }, (_, at) => {
        const [b, i, j] = [Math.floor(at / 36), Math.floor(at / 6) % 6, at % 6];
        const of = b === 0 ? [0, 0, 1, 1, 1, 2] : [0, 0, 0, 0, 0, 0];
        return j > i || (window && j <= i - window) || (packed && of[i] !== of[j]) ? -1e9 : 0;
      });
      const seen = tf.add(bent, tf.tensor(hidden, [batch, 1, length, length]));
      const far = (slopes ?? []).flatMap((slope) => Array.from({ length: length ** 2 }, (_, at) => slope * ((at % length) - Math.floor(at / length)))); // biome-ignore format: one line
      const scored = slopes ? tf.add(seen, tf.tensor(far, [1, heads, length, length])) : seen;
      return tf.matMul(tf.softmax(scored), repeat(v));
    },
  };
}

const kinds: readonly (readonly [string, Kind])[] = [
  ['one block', {}],
  ['blocks, the last of them shorter', { block: 4 }],
  ['blocks of one query', { block: 1 }],
  ['another scale', { scale: 1.3, block: 2 }],
  ['groups of heads', { heads: 4, groups: 2, block: 2 }],
  ['one head of keys and values', { heads: 3, groups: 1, block: 3 }],
  ['a window', { window: 2, block: 2 }],
  ['a softcap', { softcap: 0.8, block: 3 }],
  ['packed documents', { packed: true, block: 2 }],
  ['slopes by distance', { slopes: [0.9, 0.2], block: 2 }],
  [
    'slopes by distance, packed documents, groups, a softcap and a window',
    { slopes: [0.9, 0.5, 0.2, 0.1], packed: true, heads: 4, window: 3, softcap: 0.8, block: 4 },
  ],
  ['packed documents, groups and a window', { packed: true, heads: 4, window: 3, block: 4 }],
];

describe.each(WAYS)('by the %s', (way) => {
  takeWay(way);
  it.each(kinds)('equals the formula: %s', async (_, kind) => {
    const item = attention(kind);
    const expected = await runCase(reference, plain(kind), inputValues(item));
    const actual = await runCase(onnx, item, inputValues(item));
    expectClose(actual.value, expected.value, 1e-5);
    actual.gradients.forEach((gradient, i) => {
      expectClose(gradient, expected.gradients[i], 2e-5);
    });
  });
});

it.each([
  ['blocks', { block: 4, scale: 1.3 }],
  [
    'groups, a window, a softcap and packed documents',
    { heads: 4, window: 3, block: 4, packed: true, softcap: 0.8 },
  ],
  ['dropout', { dropout: 0.4, block: 4, heads: 4 }],
  [
    'slopes by distance, groups, a window and packed documents',
    { slopes: [0.9, 0.5, 0.2, 0.1], heads: 4, window: 3, block: 4, packed: true },
  ],
] as const)('has the gradients of finite differences: %s', async (_, kind) => {
  const item = attention(kind);
  const { gradients } = await runCase(reference, item, inputValues(item));
  const numeric = await numericGradients(reference, item);
  gradients.forEach((gradient, i) => {
    expectClose(gradient, numeric[i], 4e-3);
  });
});

it('drops the same weights whatever the blocks are', async () => {
  const [whole, blocks] = await Promise.all(
    [6, 4].map((block) => runCase(onnx, attention({ dropout: 0.5, block }), inputValues(attention({})))),
  );
  const sound = await runCase(onnx, attention({}), inputValues(attention({})));
  expectClose(blocks.value, whole.value, 1e-5);
  expect(whole.value.some((value, i) => Math.abs(value - sound.value[i]) > 0.1)).toBe(true);
});

it('has the weights of a block in memory at once', () => {
  const [items, heads, length, size] = [1, 8, 512, 8];
  const states = ['q', 'k', 'v'].map((name) => new State(name, [items, heads, length, size], 'float32', () => new Float32Array(items * heads * length * size))); // biome-ignore format: one line
  const peakWith = (block: number): number => {
    const program = onnx.compile('gradients', () => {
      const look = () => {
        const [q, k, v] = states.map((state) => state.tensor());
        return tf.sum(causalAttention(q, k, v, { block })) as Tensor;
      };
      return Object.fromEntries(valueAndGrads(look, states).grads.map((grad, i) => [`g${i}`, grad]));
    });
    return program.peakBytes?.({}) as number;
  };
  // Of all queries they are 8 MiB, of a quarter 2.
  expect(peakWith(length / 4)).toBeLessThan(0.4 * peakWith(length));
});
