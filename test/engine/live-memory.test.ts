import { describe, expect, it } from 'vitest';
import { OnnxEngine, tf } from '../../src/engine/index.js';
import { BY_PLAN } from '../../src/engine/onnx/buffer-plan.js';
import type { OnnxGraph, OnnxNode, OnnxValue } from '../../src/engine/onnx/onnx-graph.js';
import { executionOrder } from '../../src/engine/onnx/passes/node-order.js';
import { peakOf } from '../../src/engine/onnx/peak.js';
import { ValueSizes } from '../../src/engine/onnx/value-sizes.js';

const node = (
  op: string,
  inputs: string[],
  output: string,
  attributes: OnnxNode['attributes'] = {},
): OnnxNode => ({ op, domain: '', inputs, outputs: [output], attributes });
const value = (name: string, shape = [10]): OnnxValue => ({ name, shape, dtype: 'float32' });
const graph = (nodes: OnnxNode[], outputs: string[]): OnnxGraph => ({
  nodes,
  inputs: [value('x')],
  outputs: outputs.map((name) => value(name)),
  initializers: [],
});
const sizes = (known: readonly OnnxValue[] = []) => new ValueSizes(new Map(known.map((v) => [v.name, v])));
/** Ten numbers of four bytes. */
const VALUE = 40;

describe('peakOf', () => {
  it('counts what is made and still needed, not inputs and outputs', () => {
    const chain = graph(
      [
        node('Exp', ['x'], 'a'),
        node('Exp', ['a'], 'b'),
        node('Add', ['b', 'a'], 'c'),
        node('Neg', ['c'], 'y'),
      ],
      ['y'],
    );
    // At "Add" a, b and c are there; x and y are the caller's.
    expect(peakOf(chain, sizes()).bytes).toBe(3 * VALUE);
  });

  it('counts outputs that are not the caller’s from when they are made to the end', () => {
    const names = ['x', 'a', 'passing', 'c', 'y'];
    const chain = names.slice(1).map((name, i) => node('Transpose', [names[i]], name));
    const both = graph(chain, ['passing', 'y']);
    expect(peakOf(both, sizes(), BY_PLAN).bytes).toBe(VALUE);
    expect(peakOf(both, sizes(), BY_PLAN, new Set(['passing'])).bytes).toBe(2 * VALUE);
  });

  it('lets a view keep its source alive and cost nothing itself', () => {
    const nodes = [
      node('Exp', ['x'], 'a'),
      node('Reshape', ['a'], 'view'),
      node('Exp', ['x'], 'b'),
      node('Add', ['view', 'b'], 'y'),
    ];
    expect(peakOf(graph(nodes, ['y']), sizes()).bytes).toBe(2 * VALUE);
  });

  it('knows operators that work in place, where nobody else needs their input', () => {
    const nodes = [node('Exp', ['x'], 'a'), node('Relu', ['a'], 'b'), node('Neg', ['b'], 'y')];
    expect(peakOf(graph(nodes, ['y']), sizes()).bytes).toBe(VALUE);
    const needed = [...nodes.slice(0, 2), node('Add', ['a', 'b'], 'y')];
    expect(peakOf(graph(needed, ['y']), sizes()).bytes).toBe(2 * VALUE);
  });

  it('keeps a buffer that is used again later, and says that it waits', () => {
    const large = [100];
    const known = [value('a', large), value('d', large), value('s'), value('t'), value('u')];
    const nodes = [
      node('Expand', ['x'], 'a'),
      node('ReduceSum', ['a'], 's'),
      // Here nobody needs `a`, but `d` will have its buffer.
      node('Neg', ['s'], 't'),
      node('Neg', ['t'], 'u'),
      node('Expand', ['u'], 'd'),
      node('ReduceSum', ['d'], 'y'),
    ];
    const peak = peakOf(graph(nodes, ['y']), sizes(known));
    expect(peak.bytes).toBe(400 + 2 * VALUE);
    expect(peak.values.filter(({ idle }) => idle).map(({ node }) => node.outputs[0])).toEqual(['a']);
  });

  it('counts what a loop makes inside, and two of each value that it carries', () => {
    const body: OnnxGraph = {
      nodes: [
        node('Exp', ['slice'], 'e'),
        node('Add', ['e', 'state'], 'sum'),
        node('Identity', ['sum'], 'next'),
      ],
      inputs: [value('state'), value('slice')],
      outputs: [value('next')],
      initializers: [],
    };
    const scan: OnnxNode = {
      ...node('Scan', ['x', 'xs'], 'y'),
      attributes: { body: { graph: body }, num_scan_inputs: 1 },
    };
    expect(peakOf(graph([scan], ['y']), sizes()).bytes).toBe(2 * VALUE + 2 * VALUE);
  });
});

describe('sizes of values that nobody recorded', () => {
  const made = (op: string, attributes: OnnxNode['attributes'] = {}, inputs = ['x', 'row']) => {
    const all = sizes([value('x', [6, 4]), value('row', [1, 4]), { ...value('half', [6, 4]) }]);
    return all.layout('y', node(op, inputs, 'y', attributes)).bytes;
  };
  it.each([
    ['truths are a byte each', 'Less', {}, 24],
    ['a shape is one number an axis, not the tensor', 'Shape', {}, 16],
    ['a piece of a shape', 'Shape', { start: 0, end: 0 }, 0],
    ['a cast to half precision', 'Cast', { to: 10 }, 48],
    ['a cast to bfloat16', 'Cast', { to: 16 }, 48],
    ['a cast to int64', 'Cast', { to: 7 }, 192],
    ['a transpose', 'Transpose', { perm: [1, 0] }, 96],
    ['what broadcasts', 'Add', {}, 96],
    ['a concatenation', 'Concat', { axis: 0 }, 112],
    ['a product with a transposed factor', 'Gemm', { transB: 1 }, 24],
  ] as const)('%s', (_, op, attributes, bytes) => {
    expect(made(op, attributes)).toBe(bytes);
  });

  it('a product of operands in bfloat16 is in float32', () => {
    const low = { ...value('low', [6, 4]), dtype: 'bfloat16' as const };
    const all = sizes([low, value('b', [4, 5]), value('words', [64])]);
    const bytes = (b: string, attributes: OnnxNode['attributes']) =>
      all.layout(`y${b}`, { ...node('Gemm16', ['low', b], `y${b}`, attributes), domain: 'anemone' }).bytes;
    expect(bytes('b', {})).toBe(6 * 5 * 4);
    expect(bytes('words', { columns: 5 })).toBe(6 * 5 * 4);
  });
});

describe('executionOrder', () => {
  it('is that of ONNX Runtime: depth first from the last unused result, latest inputs first', () => {
    const nodes = [
      node('Relu', ['x'], 'a'),
      node('Relu', ['x'], 'b'),
      node('Neg', ['a'], 'first'),
      node('Add', ['a', 'b'], 'second'),
    ];
    const order = executionOrder(graph(nodes, ['first', 'second'])).map((n) => n.outputs[0]);
    expect(order).toEqual(['b', 'a', 'second', 'first']);
  });
});

describe('Program.peakBytes', () => {
  it('grows with the batch and needs no data', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const program = engine.compile('p', ({ x }) => ({
      y: tf.sum(tf.relu(tf.exp(tf.matMul(x, x, false, true)))),
    }));
    const bytes = (rows: number) => program.peakBytes?.({ x: { dtype: 'float32', shape: [rows, 8] } });
    // The product [rows,rows], and over it what is made of it.
    expect(bytes(64)).toBeGreaterThanOrEqual(64 * 64 * 4);
    expect(bytes(64)).toBeLessThan(2 * 64 * 64 * 4);
    expect((bytes(128) ?? 0) / (bytes(64) ?? 1)).toBeCloseTo(4, 1);
    expect(engine.stats.compilations).toBe(0);
    await engine.dispose();
  });
});
