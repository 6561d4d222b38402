import { describe, expect, it } from 'vitest';
import { OnnxEngine, tf } from '../../src/engine/index.js';
import { executionOrder, peakLiveBytes } from '../../src/engine/onnx/live-memory.js';
import type { OnnxGraph, OnnxNode } from '../../src/engine/onnx/onnx-graph.js';

const node = (op: string, inputs: string[], output: string): OnnxNode => ({
  op,
  domain: '',
  inputs,
  outputs: [output],
  attributes: {},
});
const value = (name: string) => ({ name, shape: [1], dtype: 'float32' as const });
const graph = (nodes: OnnxNode[], outputs: string[]): OnnxGraph => ({
  nodes,
  inputs: [value('x')],
  outputs: outputs.map(value),
  initializers: [],
});

describe('peakLiveBytes', () => {
  it('counts what is made and still needed, not inputs and outputs', () => {
    const chain = graph(
      [
        node('Relu', ['x'], 'a'),
        node('Relu', ['a'], 'b'),
        node('Add', ['b', 'a'], 'c'),
        node('Neg', ['c'], 'y'),
      ],
      ['y'],
    );
    // At "Add" a, b and c are there; x and y are the caller's.
    expect(peakLiveBytes(chain, () => 10)).toBe(30);
  });

  it('lets a view keep its source alive and cost nothing itself', () => {
    const nodes = [
      node('Relu', ['x'], 'a'),
      node('Reshape', ['a'], 'view'),
      node('Relu', ['x'], 'b'),
      node('Add', ['view', 'b'], 'y'),
    ];
    expect(peakLiveBytes(graph(nodes, ['y']), () => 10)).toBe(20);
  });

  it('takes an unknown size for that of the largest input', () => {
    const nodes = [node('Relu', ['x'], 'a'), node('Odd', ['a'], 'b'), node('Neg', ['b'], 'y')];
    expect(peakLiveBytes(graph(nodes, ['y']), (name) => (name === 'a' ? 8 : undefined))).toBe(16);
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
    // The product and what is made of it, [rows,rows] each, two at a time.
    expect(bytes(64)).toBeGreaterThanOrEqual(2 * 64 * 64 * 4);
    expect(bytes(64)).toBeLessThan(3 * 64 * 64 * 4);
    expect((bytes(128) ?? 0) / (bytes(64) ?? 1)).toBeCloseTo(4, 1);
    expect(engine.stats.compilations).toBe(0);
    await engine.dispose();
  });
});
