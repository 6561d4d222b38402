// Puts operations number by number, of which one's result is needed by the next alone, in one node of the operator Pointwise: what is
// between them is never written to memory (cf. Chen et al. 2018, "TVM", § 3 on operator fusion).
import { sizeOf } from '../../tensors.js';
import { finishGraph, producers, usedNames } from '../graph-builder.js';
import { type OnnxGraph, type OnnxNode, type OnnxValue, onnxType } from '../onnx-graph.js';
import { executionOrder } from './node-order.js';
import { isPointwise, MOST, type PointwiseStep, pointwiseNode } from './pointwise.js';

/**
 * Nodes further apart in the order of execution stay apart: what the first one reads would have to be kept until the second, which
 * may be much more than what it makes.
 */
const NEAR = 16;

type Describe = (name: string) => OnnxValue | undefined;

/** The graph with its chains as one node each. @param describe shapes and types of values, where they are known */
export function fuseChains(graph: OnnxGraph, describe: Describe): OnnxGraph {
  const chains = new Chains(graph, describe);
  const nodes = chains.fused();
  return nodes === graph.nodes ? graph : finishGraph(nodes, graph.inputs, graph.outputs, graph.initializers);
}

class Chains {
  private readonly makers: ReadonlyMap<string, OnnxNode>;
  private readonly readers = new Map<string, Set<OnnxNode>>();
  private readonly places: ReadonlyMap<OnnxNode, number>;
  private readonly results: ReadonlySet<string>;
  private readonly described: ReadonlyMap<string, OnnxValue>;
  /** Nodes that are in the chain of another. */
  private readonly taken = new Set<OnnxNode>();

  constructor(
    private readonly graph: OnnxGraph,
    private readonly describe: Describe,
  ) {
    this.makers = producers(graph.nodes);
    this.places = new Map(executionOrder(graph).map((node, i) => [node, i]));
    this.results = new Set(graph.outputs.map(({ name }) => name));
    this.described = new Map([...graph.initializers, ...graph.inputs].map((value) => [value.name, value]));
    for (const node of graph.nodes) {
      for (const name of usedNames(node)) {
        const known = this.readers.get(name) ?? new Set();
        this.readers.set(name, known.add(node));
      }
    }
  }

  fused(): readonly OnnxNode[] {
    const replaced = new Map<OnnxNode, OnnxNode>();
    // The last node of a chain is met first.
    for (const node of [...this.graph.nodes].reverse()) {
      if (this.taken.has(node) || !this.mayFuse(node)) continue;
      const chain = new Chain(node, this.sizesOf(node));
      this.take(node, chain);
      if (chain.isWorthIt()) replaced.set(node, chain.node());
      else chain.letGo(this.taken);
    }
    if (replaced.size === 0) return this.graph.nodes;
    return this.graph.nodes.flatMap((node) => (this.taken.has(node) ? [] : (replaced.get(node) ?? node)));
  }

  /** Adds a node and what is made for it alone to a chain; the number of its result there. */
  private take(node: OnnxNode, chain: Chain): number {
    chain.open++;
    const [a, b = a] = node.inputs.map((name) => this.operand(name, node, chain));
    chain.open--;
    return chain.step(node, a, b);
  }

  private operand(name: string, reader: OnnxNode, chain: Chain): number {
    const maker = this.makers.get(name);
    const known = chain.registerOf(name);
    if (known !== undefined) return known;
    if (maker && this.isOfMask(maker, chain.sizes)) return chain.input(maker.inputs[0], 'mask');
    if (maker && chain.hasRoom() && this.belongsTo(maker, reader, chain.sizes)) {
      this.taken.add(maker);
      return this.take(maker, chain);
    }
    return chain.input(name, this.kindOf(name, chain.sizes));
  }

  private belongsTo(maker: OnnxNode, reader: OnnxNode, sizes: readonly number[]): boolean {
    const [result] = maker.outputs;
    const distance = (this.places.get(reader) ?? 0) - (this.places.get(maker) ?? 0);
    return (
      distance <= NEAR &&
      this.readers.get(result)?.size === 1 &&
      !this.results.has(result) &&
      this.mayFuse(maker) &&
      this.sizesOf(maker).join() === sizes.join()
    );
  }

  /** Whether it makes numbers of booleans of that shape: the operator takes these as they are. */
  private isOfMask({ op, domain, inputs, attributes }: OnnxNode, sizes: readonly number[]): boolean {
    if (op !== 'Cast' || domain !== '' || attributes['to'] !== onnxType.float32) return false;
    const mask = this.valueOf(inputs[0]);
    return mask?.dtype === 'bool' && mask.shape.join() === sizes.join();
  }

  private mayFuse(node: OnnxNode): boolean {
    const result = this.valueOf(node.outputs[0]);
    if (!isPointwise(node) || result?.dtype !== 'float32' || sizeOf(result.shape) < 2) return false;
    return node.inputs.every(
      (name) => this.valueOf(name)?.dtype === 'float32' && this.kindOf(name, result.shape) !== undefined,
    );
  }

  /** How an operand is read for a result of these sizes; undefined where the operator cannot. */
  private kindOf(name: string, sizes: readonly number[]): OperandKind | undefined {
    const shape = this.valueOf(name)?.shape;
    if (!shape) return undefined;
    const [count, width] = [sizeOf(shape), sizes.at(-1)];
    if (shape.join() === sizes.join()) return 'each';
    if (shape.length > sizes.length) return undefined;
    if (count === 1) return 'other';
    if (count === width && shape.at(-1) === width) return 'other';
    const isColumn = shape.length === sizes.length && shape.at(-1) === 1 && shape.slice(0, -1).join() === sizes.slice(0, -1).join(); // biome-ignore format: one condition
    return isColumn ? 'other' : undefined;
  }

  private sizesOf(node: OnnxNode): readonly number[] {
    return this.valueOf(node.outputs[0])?.shape ?? [];
  }

  private valueOf(name: string): OnnxValue | undefined {
    return this.described.get(name) ?? this.describe(name);
  }
}

/** `each`: of the shape of the results; `mask`: booleans of that shape; `other`: a row, a column or a single number. */
type OperandKind = 'each' | 'mask' | 'other';

/** Nodes that become one. */
class Chain {
  private readonly inputs = new Map<string, OperandKind | undefined>();
  private readonly steps: (PointwiseStep & { readonly node: OnnxNode })[] = [];
  private readonly made = new Map<string, number>();
  /** Nodes whose operands are being visited. */
  open = 0;

  constructor(
    private readonly last: OnnxNode,
    readonly sizes: readonly number[],
  ) {}

  /** The number of a value that is in the chain already: inputs are counted from −1 down, results of steps from 0 up. */
  registerOf(name: string): number | undefined {
    const input = [...this.inputs.keys()].indexOf(name);
    return this.made.get(name) ?? (input < 0 ? undefined : -1 - input);
  }

  input(name: string, kind: OperandKind | undefined): number {
    if (!this.inputs.has(name)) this.inputs.set(name, kind);
    return this.registerOf(name) as number;
  }

  step(node: OnnxNode, a: number, b: number): number {
    this.steps.push({ node, op: node.op, a, b });
    this.made.set(node.outputs[0], this.steps.length - 1);
    return this.steps.length - 1;
  }

  /** For one node more, whose operands may be new, as may be those of the nodes that it is needed for. */
  hasRoom(): boolean {
    const nodes = this.open + 1;
    return this.inputs.size + 2 * nodes <= MOST.inputs && this.steps.length + nodes <= MOST.steps;
  }

  /** One node alone gains nothing, and the shape of the results must be that of an input. */
  isWorthIt(): boolean {
    const kinds = [...this.inputs.values()];
    const hasMask = kinds.includes('mask');
    return (hasMask || kinds.includes('each')) && (hasMask || this.steps.length > 1);
  }

  letGo(taken: Set<OnnxNode>): void {
    for (const { node } of this.steps) taken.delete(node);
  }

  node(): OnnxNode {
    const count = this.inputs.size;
    const register = (number: number): number => (number < 0 ? -1 - number : count + number);
    const steps = this.steps.map(({ op, a, b }) => ({ op, a: register(a), b: register(b) }));
    const { part } = this.last;
    const result = [this.last.outputs[0], count + steps.length - 1] as const;
    const node = pointwiseNode([...this.inputs.keys()], steps, [result], this.sizes);
    return part === undefined ? node : { ...node, part };
  }
}
