// Attention in blocks of queries against the formula in one piece, finite differences, and an engine that makes no blocks.
import { afterAll, describe, expect, it } from 'vitest';
import {
  createReferenceEngine,
  type Engine,
  type HostTensors,
  OnnxEngine,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import {
  type AttentionMask,
  attendInBlocks,
  attentionMask,
  dropout,
  Module,
  MultiHeadAttention,
  RelativeMultiHeadAttention,
  relativePositions,
  relativeShift,
  relativeUnshift,
  trainingPass,
} from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { TransformerAttention } from '../../src/transformer/attention.js';
import type { Case } from '../engine/conformance/cases.js';
import { expectClose, inputValues, numericGradients, runCase } from '../engine/conformance/run.js';
import { takeWay, WAYS } from '../engine/ways.js';
import { maxDifference, randomTensor } from './support.js';

const reference = createReferenceEngine();
const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

interface Kind {
  /** Queries of a block. */
  readonly width?: number;
  readonly keys?: number;
  readonly relative?: boolean;
  /** What hides keys: of each query, or the same of all. Queries may see nothing. */
  readonly hides?: 'by query' | 'by key';
  readonly seeing?: boolean;
  readonly dropout?: number;
}

const [batch, heads, count, size] = [2, 3, 5, 2];
const scale = 0.7;

/** Inputs: queries, keys, values, and biases and offsets of relative positions. */
function shapesOf({ keys = count, relative = false }: Kind): number[][] {
  const sequences = [[batch, count, heads * size], [batch, heads, keys, size], [batch, heads, keys, size]]; // biome-ignore format: one line
  return relative
    ? [...sequences, [heads * size], [heads * size], [1, heads, count + keys - 1, size]]
    : sequences;
}

const biasOf = ({ keys = count, hides }: Kind): Tensor => {
  const rows = hides === 'by query' ? count : 1;
  const values = Array.from({ length: batch * rows * keys }, (_, i) => (hides && i % 4 === 1 ? -10000 : 0));
  return tf.tensor(values, [batch, 1, rows, keys]);
};
const seeingOf = (): Tensor => tf.tensor([1, 1, 1, 0, 1, 1, 0, 1, 1, 0], [batch, count, 1]);

const inBlocks = (kind: Kind): Case => ({
  name: 'blocks',
  shapes: shapesOf(kind),
  fn: ([queries, keys, values, biasU, biasV, offsets]) => {
    const relative = kind.relative ? { biasU, biasV, offsets } : {};
    const seeing = kind.seeing ? { seeing: seeingOf() } : {};
    const input = { queries: tf.mul(queries, 2), keys, values, bias: biasOf(kind), ...relative, ...seeing };
    return attendInBlocks(input, { scale, dropout: kind.dropout, width: kind.width });
  },
});

/** The formula, all queries at once. */
const inOnePiece = (kind: Kind): Case => ({
  name: 'one piece',
  shapes: shapesOf(kind),
  fn: ([queries, keys, values, biasU, biasV, offsets]) => {
    const byHead = (x: Tensor): Tensor =>
      tf.transpose(tf.reshape(tf.mul(x, scale), [batch, count, heads, size]), [0, 2, 1, 3]);
    const doubled = tf.mul(queries, 2);
    const content = tf.matMul(byHead(kind.relative ? tf.add(doubled, biasU) : doubled), keys, false, true);
    const scores = kind.relative
      ? tf.add(
          content,
          relativeShift(tf.matMul(byHead(tf.add(doubled, biasV)), tf.tile(offsets, [batch, 1, 1, 1]), false, true)), // biome-ignore format: one line
        )
      : content;
    const weights = dropout(tf.softmax(tf.add(scores, biasOf(kind))), kind.dropout ?? 0, trainingPass);
    const context = tf.reshape(tf.transpose(tf.matMul(weights, values), [0, 2, 1, 3]), queries.shape);
    return kind.seeing ? tf.mul(context, seeingOf()) : context;
  },
});

const KINDS: readonly (readonly [string, Kind])[] = [
  ['as many queries a block as there are', {}],
  ['blocks, the last of them shorter', { width: 2 }],
  ['blocks of one query', { width: 1, relative: true }],
  ['what hides keys of each query', { width: 2, hides: 'by query' }],
  ['what hides keys of all queries', { width: 2, hides: 'by key' }],
  ['queries that see nothing', { width: 2, hides: 'by query', seeing: true }],
  ['relative positions', { width: 2, relative: true }],
  ['relative positions of more keys than queries', { width: 2, relative: true, keys: 8 }],
  ['keys of another sequence', { width: 3, keys: 4 }],
  ['dropout', { width: 2, dropout: 0.4 }],
  ['all of it', { width: 2, relative: true, keys: 7, hides: 'by query', seeing: true, dropout: 0.3 }],
];

describe.each(WAYS)('by the %s', (way) => {
  takeWay(way);
  it.each(KINDS)('is attention in one piece, dropped weights included: %s', async (_, kind) => {
    const values = inputValues(inBlocks(kind));
    const expected = await runCase(reference, inOnePiece(kind), values);
    const actual = await runCase(onnx, inBlocks(kind), values);
    expectClose(actual.value, expected.value, 1e-6);
    actual.gradients.forEach((gradient, i) => {
      expectClose(gradient, expected.gradients[i], 3e-6);
    });
  });
});

it.each(KINDS.filter(([, { seeing }]) => seeing))(
  'has the gradients of finite differences: %s',
  async (_, kind) => {
    const item = inBlocks(kind);
    const { gradients } = await runCase(reference, item, inputValues(item));
    const numeric = await numericGradients(reference, item);
    gradients.forEach((gradient, i) => {
      expectClose(gradient, numeric[i], 4e-3);
    });
  },
);

it.each([
  [1, 4],
  [2, 2],
  [3, 5],
])('the gradient of a relative shift: %i queries, %i keys', async (queries, keys) => {
  const shift = (fn: (x: Tensor) => Tensor, shape: number[]): Case => ({ name: 'shift', shapes: [shape], fn: ([x]) => fn(x) }); // biome-ignore format: one line
  const item = shift(relativeShift, [2, 2, queries, queries + keys - 1]);
  const { value, gradients } = await runCase(reference, item, inputValues(item));
  const weights = Float32Array.from({ length: value.length }, (_, i) => Math.cos(0.8 * i + 0.2));
  const back = await runCase(reference, shift(relativeUnshift, [2, 2, queries, keys]), [weights]);
  expectClose(back.value, gradients[0], 1e-6);
});

/** Layers of attention whose weights are large: 8 · 8 · 256 · 256 · 4 bytes are 16 MiB. */
const [items, frames, width, parts] = [8, 256, 16, 8];
const options = { width, heads: parts, dropout: 0.2 };
const LARGE = 4 * items * parts * frames * frames;

/** Some of the keys of some of the queries are hidden. */
const maskOf = (past = 0): AttentionMask => {
  const places = tf.reshape(tf.range(0, frames, 1, 'int32'), [1, frames]);
  const lengths = tf.reshape(tf.range(frames - items + 1, frames + 1, 1, 'int32'), [items, 1]);
  const before = past ? tf.ones([items, past]) : undefined;
  return attentionMask(
    tf.cast(tf.less(places, lengths), 'float32'),
    { style: 'regular', left: 200, right: 100 },
    before,
  );
};

type Look = (x: Tensor) => Tensor;
const LAYERS: Record<string, (layer: (module: Module) => Module) => Look> = {
  'absolute positions': (layer) => {
    const attention = layer(new MultiHeadAttention(options)) as MultiHeadAttention;
    return (x) => attention.forward(x, maskOf(), trainingPass);
  },
  'relative positions': (layer) => {
    const attention = layer(new RelativeMultiHeadAttention(options)) as RelativeMultiHeadAttention;
    return (x) => attention.forward(x, maskOf(), trainingPass, relativePositions(frames, width));
  },
  'relative positions with biases of another layer': (layer) => {
    const owner = layer(new RelativeMultiHeadAttention(options)) as RelativeMultiHeadAttention;
    const attention = layer(new RelativeMultiHeadAttention(options, owner)) as RelativeMultiHeadAttention;
    return (x) => attention.forward(x, maskOf(), trainingPass, relativePositions(frames, width));
  },
  'relative positions of frames before': (layer) => {
    const attention = layer(new RelativeMultiHeadAttention(options)) as RelativeMultiHeadAttention;
    return (x) => {
      const keys = tf.concat([tf.slice(tf.sin(tf.mul(x, 3)), [0, 0, 0], [items, 20, width]), x], 1);
      return attention.forward(x, maskOf(20), trainingPass, relativePositions(frames, width, frames + 20), keys); // biome-ignore format: one line
    };
  },
  Transformer: (layer) => {
    const sizes = { hidden_size: width, num_attention_heads: parts, attn_score_dropout: 0.2, attn_layer_dropout: 0.1 }; // biome-ignore format: one line
    const attention = layer(new TransformerAttention(sizes)) as TransformerAttention;
    return (x) => attention.forward(x, tf.sin(x), maskOf().bias, trainingPass);
  },
};

/** Layers one after the other, and the step that trains them. */
class Stack extends Module {
  private readonly looks: readonly Look[];
  constructor(kind: keyof typeof LAYERS, layers: number) {
    super();
    let made = 0;
    this.looks = Array.from({ length: layers }, () => LAYERS[kind]((module) => this.child(`${made++}`, module))); // biome-ignore format: one line
  }

  step(engine: Engine) {
    const parameters = [...this.parameters()].filter(({ trainable }) => trainable);
    return engine.compile('step', ({ x }) => {
      const forward = () => this.looks.reduce((y, look) => tf.add(y, look(y)), x);
      const { value, grads } = valueAndGrads(() => tf.mean(tf.sin(forward())) as Tensor, parameters);
      return { value, ...Object.fromEntries(grads.map((grad, i) => [parameters[i].name, grad])) };
    });
  }
}

const x = randomTensor([items, frames, width], 5);

/** An engine that does not order by dependence, and then makes no blocks. */
const unordered = new OnnxEngine({ threads: 1, optimization: 'basic' });
afterAll(() => unordered.dispose());

/** Value, gradients and the most that is alive. */
async function stepOn(engine: Engine, stack: Stack): Promise<{ values: HostTensors; peak: number }> {
  for (const [i, parameter] of [...stack.parameters()].entries()) {
    await engine.write(parameter, randomTensor(parameter.shape, 30 + i, 0.4).data as Float32Array);
  }
  const program = stack.step(engine);
  const values = await program.run({ x }, { random: new CounterRandom(5) });
  return { values, peak: program.peakBytes?.({ x }) as number };
}

describe.each(Object.keys(LAYERS))('layers of large weights: %s', (kind) => {
  const stack = (layers: number) => new Stack(kind, layers);

  it('give what they give in one piece, gradients and dropout included, in less memory', async () => {
    const one = stack(1);
    const [{ values: blocks, peak }, whole] = [await stepOn(onnx, one), await stepOn(unordered, one)];
    expect(peak).toBeLessThan(0.6 * whole.peak);
    const largest = Math.max(...Object.values(whole.values).map(({ data }) => Math.max(...Array.from(data, Math.abs)))); // biome-ignore format: one line
    for (const [name, { data }] of Object.entries(whole.values)) {
      expect(maxDifference(blocks[name].data, data), name).toBeLessThan(2e-5 * largest);
    }
  });

  it('keep no weights for the gradient', () => {
    const [one, three] = [1, 3].map((layers) => {
      return stack(layers).step(onnx).peakBytes?.({ x }) as number;
    });
    expect(three - one).toBeLessThan(LARGE / 4);
  });
});
