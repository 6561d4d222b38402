// The vocabulary's cross-entropy: whole and in chunks against the plain formula, its gradients against finite differences.
import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceEngine, OnnxEngine, type Tensor, tf } from '../../src/engine/index.js';
import { tokenLosses, type VocabularyLossOptions, vocabularyLoss } from '../../src/nn/index.js';
import type { Case } from '../engine/conformance/cases.js';
import { expectClose, inputValues, numericGradients, runCase } from '../engine/conformance/run.js';
import { takeWay, WAYS } from '../engine/ways.js';

const [tokens, width, rows] = [7, 4, 10];
const reference = createReferenceEngine();
const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

const weights = () => tf.tensor1d([1, 0, 1, 0.5, 1, 1, 0]);

function item(name: string, options: VocabularyLossOptions): Case {
  return {
    name,
    shapes: [[tokens, width], [rows, width]],
    ints: [{ shape: [tokens], below: options.words ?? rows }],
    fn: ([hidden, table], [labels]) => vocabularyLoss(tf.mul(hidden, 2), tf.mul(table, 2), labels, weights(), options),
  }; // biome-ignore format: a table
}

/** By tfjs's own ops, padded rows cut off. */
function plain({ words = rows, softcap }: VocabularyLossOptions): Case {
  return {
    ...item('plain', {}),
    ints: [{ shape: [tokens], below: words }],
    fn: ([hidden, table], [labels]) => {
      const shown = tf.slice(tf.mul(table, 2), [0, 0], [words, width]);
      const logits = tf.matMul(tf.mul(hidden, 2) as tf.Tensor2D, shown as tf.Tensor2D, false, true);
      const bent = softcap ? tf.mul(tf.tanh(tf.div(logits, softcap)), softcap) : logits;
      const hot = tf.cast(tf.equal(tf.reshape(labels, [-1, 1]), tf.reshape(tf.range(0, words, 1, 'int32'), [1, -1])), 'float32');
      return tf.neg(tf.sum(tf.mul(tf.sum(tf.mul(tf.logSoftmax(bent), hot), 1), weights())));
    },
  }; // biome-ignore format: long
}

const kinds: readonly (readonly [string, VocabularyLossOptions])[] = [
  ['whole', {}],
  ['chunks that divide the tokens unevenly', { mostBytes: 3 * rows * 4 }],
  ['chunks of one token, for a bound below a row', { mostBytes: 1 }],
  ['padded rows', { words: 8, mostBytes: 3 * rows * 4 }],
  ['padded rows, whole', { words: 8 }],
  ['a softcap', { softcap: 3, words: 9, mostBytes: 2 * rows * 4 }],
];

describe.each(WAYS)('by the %s', (way) => {
  takeWay(way);
  it.each(kinds)('equals the plain formula: %s', async (name, options) => {
    const loss = item(name, options);
    const expected = await runCase(reference, plain(options), inputValues(loss));
    const actual = await runCase(onnx, loss, inputValues(loss));
    expectClose(actual.value, expected.value, 1e-5);
    actual.gradients.forEach((gradient, i) => {
      expectClose(gradient, expected.gradients[i], 1e-5);
    });
  });
});

it('is the same where the memory of logits and gradients is used again', async () => {
  const [tokens, width, rows] = [90, 64, 700];
  const item = (loss: (hidden: Tensor, table: Tensor, labels: Tensor) => Tensor): Case => ({
    name: 'large',
    shapes: [[tokens, width], [rows, width]],
    ints: [{ shape: [tokens], below: rows }],
    fn: ([hidden, table], [labels]) => loss(hidden, table, labels),
  }); // biome-ignore format: a table
  const chunked = item((hidden, table, labels) =>
    vocabularyLoss(hidden, table, labels, tf.ones([tokens]), { mostBytes: 20 * rows * 4 }),
  );
  const plainly = item((hidden, table, labels) => {
    const logits = tf.matMul(hidden as tf.Tensor2D, table as tf.Tensor2D, false, true);
    const hot = tf.cast(tf.equal(tf.reshape(labels, [-1, 1]), tf.reshape(tf.range(0, rows, 1, 'int32'), [1, -1])), 'float32'); // biome-ignore format: one call
    return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), hot)));
  });
  const expected = await runCase(reference, plainly, inputValues(plainly));
  const actual = await runCase(onnx, chunked, inputValues(chunked));
  expect(actual.value[0] / expected.value[0]).toBeCloseTo(1, 5);
  actual.gradients.forEach((gradient, i) => {
    expectClose(gradient, expected.gradients[i], 2e-4);
  });
});

it.each(kinds)('has the gradients of finite differences: %s', async (name, options) => {
  const loss = item(name, options);
  const { gradients } = await runCase(reference, loss, inputValues(loss));
  const numeric = await numericGradients(reference, loss);
  gradients.forEach((gradient, i) => {
    expectClose(gradient, numeric[i], 4e-3);
  });
});

it('gives no gradient to padded rows', async () => {
  const loss = item('padded', { words: 8 });
  const { gradients } = await runCase(onnx, loss, inputValues(loss));
  expect([...gradients[1].slice(8 * width)]).toEqual(new Array(2 * width).fill(0));
});

it.each(kinds)('tells the loss of each token: %s', async (name, options) => {
  const each: Case = {
    ...item(name, options),
    gradient: false,
    fn: ([hidden, table], [labels]) => tokenLosses(tf.mul(hidden, 2), tf.mul(table, 2), labels, options) as Tensor,
  }; // biome-ignore format: one line reads better
  const [sum, single] = [await runCase(onnx, item(name, options), inputValues(each)), await runCase(onnx, each, inputValues(each))]; // biome-ignore format: one line
  const w = [1, 0, 1, 0.5, 1, 1, 0];
  expect(single.value.reduce((total, loss, i) => total + loss * w[i], 0)).toBeCloseTo(sum.value[0], 4);
});
