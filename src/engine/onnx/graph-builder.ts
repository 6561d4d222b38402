// Collects ONNX nodes while a function is traced. Knows nothing of tfjs. Equal nodes are emitted once, equal
// small constants are stored once, unless the graph serves as an example for other sizes, at which they may differ; what
// no output needs is dropped when the graph is finished.
import { createHash } from 'node:crypto';
import { currentPart } from '../part.js';
import { isProduct, productType } from '../precision.js';
import type { DType } from '../tensors.js';
import type { AttributeValue, OnnxGraph, OnnxInitializer, OnnxNode, OnnxValue } from './onnx-graph.js';

export interface EmitOptions {
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly outputs?: number;
  readonly domain?: string;
}

const SMALL_CONSTANT_BYTES = 8192;

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64');

/** Names and constants shared by a graph and the bodies of its loops. */
export class GraphNames {
  private counter = 0;
  readonly initializers: OnnxInitializer[] = [];
  private readonly constants = new Map<string, string>();
  private readonly owners = new WeakMap<ArrayBufferLike, number>();
  private ownerCount = 0;

  /**
   * `sharing`: of constants with equal content the small ones are stored once (`small`), or all (`all`), or those alone
   * that are the same memory (`memory`): what is equal may be so at one size only.
   */
  constructor(readonly sharing: 'small' | 'all' | 'memory' = 'small') {}

  fresh(): string {
    return `v${this.counter++}`;
  }

  constant(bytes: Uint8Array, shape: readonly number[], dtype: DType | 'int64'): string {
    const identity = this.identity(bytes);
    const key = `${dtype}|${shape.join()}|${identity}`;
    const known = identity === undefined ? undefined : this.constants.get(key);
    if (known) return known;
    const name = this.fresh();
    this.initializers.push({ name, shape, dtype, bytes });
    if (identity !== undefined) this.constants.set(key, name);
    return name;
  }

  /** What constants that are stored once have in common; undefined for one that is stored by itself. */
  private identity(bytes: Uint8Array): string | undefined {
    if (this.sharing === 'memory') {
      const owner = this.owners.get(bytes.buffer) ?? this.ownerCount++;
      this.owners.set(bytes.buffer, owner);
      return `${owner}+${bytes.byteOffset}+${bytes.length}`;
    }
    if (bytes.length <= SMALL_CONSTANT_BYTES) return Buffer.from(bytes).toString('latin1');
    return this.sharing === 'all' ? digest(bytes) : undefined;
  }

  int64(values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, (v) => BigInt(v)).buffer);
    return this.constant(bytes, [values.length], 'int64');
  }

  float(value: number): string {
    return this.constant(new Uint8Array(Float32Array.of(value).buffer), [], 'float32');
  }
}

/** One graph, or the body of a loop (then `parent` is the graph around it, whose values it may use). */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  private readonly emitted = new Map<string, string[]>();
  private readonly producers = new Map<string, OnnxNode>();

  constructor(
    readonly names: GraphNames,
    readonly parent?: GraphBuilder,
  ) {}

  emit(op: string, inputs: readonly string[], options: EmitOptions = {}): string[] {
    const attributes = options.attributes ?? {};
    const count = options.outputs ?? 1;
    const domain = options.domain ?? '';
    const hasBody = Object.values(attributes).some((a) => typeof a === 'object' && 'graph' in a);
    const alone = hasBody || this.names.sharing === 'memory';
    const lowType = isProduct(op) ? productType() : undefined;
    const key = alone
      ? ''
      : `${domain}|${op}|${inputs.join()}|${JSON.stringify(attributes)}|${count}|${lowType ?? ''}`;
    const known = alone ? undefined : this.find(key);
    if (known) return known;
    const outputs = Array.from({ length: count }, () => this.names.fresh());
    this.add({ op, domain, inputs, outputs, attributes, part: currentPart(), ...(lowType && { lowType }) });
    if (!alone) this.emitted.set(key, outputs);
    return outputs;
  }

  /** Appends a node, whatever equal one there may be. */
  add(node: OnnxNode): void {
    this.nodes.push(node);
    for (const output of node.outputs) this.producers.set(output, node);
  }

  /** Appends a node that no kernel may look through, and returns its output. */
  addBarrier(op: string, inputs: readonly string[]): string {
    const output = this.names.fresh();
    this.nodes.push({ op, domain: '', inputs, outputs: [output], attributes: {}, part: currentPart() });
    return output;
  }

  one(op: string, inputs: readonly string[], options: EmitOptions = {}): string {
    return this.emit(op, inputs, options)[0];
  }

  /** Puts other nodes in the place of those that there are. */
  replace(nodes: readonly OnnxNode[]): void {
    this.nodes.splice(0, this.nodes.length);
    this.producers.clear();
    for (const node of nodes) this.add(node);
  }

  /** The node that makes `name`, in this graph or around it. */
  producer(name: string): OnnxNode | undefined {
    return this.producers.get(name) ?? this.parent?.producer(name);
  }

  private find(key: string): string[] | undefined {
    return this.emitted.get(key) ?? this.parent?.find(key);
  }
}

/** The graph computing `outputs`: dead nodes, unused inputs and constants left out. */
export function finishGraph(
  nodes: readonly OnnxNode[],
  inputs: readonly OnnxValue[],
  outputs: readonly OnnxValue[],
  initializers: readonly OnnxInitializer[],
): OnnxGraph {
  const needed = new Set(outputs.map((o) => o.name));
  const kept: OnnxNode[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i];
    if (!node.outputs.some((o) => needed.has(o))) continue;
    kept.push(node);
    for (const name of usedNames(node)) needed.add(name);
  }
  return {
    nodes: kept.reverse(),
    inputs: inputs.filter((v) => needed.has(v.name)),
    outputs,
    initializers: initializers.filter((v) => needed.has(v.name)),
  };
}

/** The node that makes each value. */
export function producers(nodes: readonly OnnxNode[]): ReadonlyMap<string, OnnxNode> {
  return new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
}

/** Values a node reads, those read by the body of a loop included. Optional inputs that are left out have an empty name. */
export function usedNames(node: OnnxNode): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of Object.values(node.attributes)) {
    if (typeof attribute === 'object' && 'graph' in attribute) {
      for (const inner of attribute.graph.nodes) names.push(...usedNames(inner));
      names.push(...attribute.graph.outputs.map((o) => o.name));
    }
  }
  return names;
}
