// Computes the marked products of a graph in 16 bits (automatic mixed precision, Micikevicius et al. 2018). Rehearsed: the
// operands are rounded by a cast there and back, and the product is computed in float32, of the numbers that a device with
// 16-bit products would see; where that would write float16, the result is rounded too, so that what overflows there overflows
// here. Native: the product itself takes and makes 16 bits. By an operator of our own, matrix products in bfloat16 take both:
// what they are given in float32 they round themselves; convolutions are rehearsed.
import type { LowType } from '../../precision.js';
import { usedNames } from '../graph-builder.js';
import {
  type AttributeValue,
  NATIVE_DOMAIN,
  type OnnxNode,
  type OnnxValue,
  onnxType,
} from '../onnx-graph.js';
import { bodyOf, withNames } from './bodies.js';
import { BufferReads } from './buffer-reads.js';
import { type CarriedValue, carriedValues } from './carried-operands.js';
import { executionOrder } from './node-order.js';

/** How products in 16 bits are computed. */
export type LowProducts = 'rehearsed' | 'native' | 'operator';

/** What the pass asks of the tracer. */
export interface AutocastTools {
  readonly products: LowProducts;
  fresh(): string;
  /** Shape and type of a value, where they are known. */
  describe(name: string): OnnxValue | undefined;
  /** Takes note of a new value. */
  record(value: OnnxValue): void;
}

/** Uses further apart, in nodes, have casts of their own: what waits from the forward pass for the gradient takes 16 bits then. */
const NEAR = 64;

/**
 * The nodes with their marked products in 16 bits; the same list where there are none.
 * @param outputs of the graph, which stay what they are
 */
export function autocast(
  nodes: readonly OnnxNode[],
  outputs: readonly OnnxValue[],
  tools: AutocastTools,
): readonly OnnxNode[] {
  return new Autocast(nodes, namesOf(outputs), undefined, tools).run();
}

/** What a product takes: 16 bits; float32, rounded to them; or either of 16 bits and float32, which it rounds by itself. */
type Taken = 'low' | 'rounded' | 'either';

/** A place where a value is needed in 16 bits, or rounded to them. */
interface Use {
  readonly node: OnnxNode;
  /** When the node is run. */
  readonly at: number;
  readonly name: string;
  readonly type: LowType;
  readonly taken: Taken;
  /** What the node calls the result already: the body of a loop. */
  readonly as: string;
}

/** A value from around the body of a loop, whose products need it. */
type Wanted = Pick<Use, 'name' | 'type' | 'taken' | 'as'>;

/** What is done for the uses of a value that are near to each other. */
interface Group {
  readonly uses: readonly Use[];
  /** The value is there for them anyway: nothing but they waits, if it does. */
  readonly isThere: boolean;
  /** They, or uses further away, take what is in 16 bits by then. */
  readonly isLow: boolean;
}

/** One list of nodes: a graph, or the body of a loop. */
class Autocast {
  /** Of a body: what its loop is to provide. */
  readonly wanted: Wanted[] = [];
  private readonly makers = new Map<string, OnnxNode>();
  /** New nodes, by the node that they come behind; undefined: in front of all. */
  private readonly behind = new Map<OnnxNode | undefined, OnnxNode[]>();
  /** New names of what nodes take. */
  private readonly renamed = new Map<OnnxNode, Map<string, string>>();
  /** Values that products have made in 16 bits, by `type name` of what they were cast to. */
  private readonly exact = new Map<string, string>();

  /** Casts of values that the graph is given in 16 bits, such as stored weights: each use has its own. */
  private readonly stored = new Set<string>();

  /** Values that are in 16 bits under the names that they had. */
  private readonly carried = new Set<string>();
  private readonly carriers = new Set<OnnxNode>();
  /** What those are called before they are cast. */
  private readonly madeAs = new Map<string, string>();

  /** @param inputs of a body; undefined: the graph itself, which takes nothing from around */
  constructor(
    private nodes: readonly OnnxNode[],
    private readonly outputs: ReadonlySet<string>,
    private readonly inputs: ReadonlySet<string> | undefined,
    private readonly tools: AutocastTools,
  ) {}

  run(): readonly OnnxNode[] {
    if (!this.nodes.some(hasProducts)) return this.nodes;
    const bodies = this.castBodies();
    this.nodes = this.nodes.map((node) => this.withRoundedResult(this.byOperator(node)));
    for (const node of this.nodes) for (const name of node.outputs) this.makers.set(name, node);
    for (const nodes of this.behind.values())
      for (const node of nodes) for (const name of node.outputs) this.makers.set(name, node);
    for (const node of this.nodes) this.noteStored(node);
    const order = executionOrder({ nodes: this.nodes });
    const reads = new BufferReads(order, (node) => this.readAsItIs(node));
    if (this.tools.products === 'operator') this.carry(order, reads, bodies);
    for (const uses of this.usesByValue(order, bodies)) this.castValue(uses, reads);
    return [...this.behindOf(undefined), ...this.nodes.flatMap((node) => [this.finished(node), ...this.behindOf(node)])]; // biome-ignore format: one line reads better
  }

  /** A product by the operator that rounds by itself, where that is wanted and can do it. */
  private byOperator(node: OnnxNode): OnnxNode {
    const { op, inputs, attributes } = node;
    if (this.tools.products !== 'operator' || node.lowType !== 'bfloat16' || !MATRIX_PRODUCTS.has(op))
      return node;
    const { transA = 0, transB = 0, alpha = ONE, beta = ONE, ...others } = attributes;
    const isPlain = Object.keys(others).length === 0 && (inputs.length === 2 || numberOf(beta) === 1);
    if (!isPlain) return node;
    const own = { transA, transB, alpha: { float: numberOf(alpha) } };
    return { ...node, op: 'Gemm16', domain: NATIVE_DOMAIN, inputs, attributes: own };
  }

  /** What products in a loop take from around is rounded once, before the loop. */
  private castBodies(): ReadonlyMap<OnnxNode, readonly Wanted[]> {
    const wanted = new Map<OnnxNode, readonly Wanted[]>();
    this.nodes = this.nodes.map((node) => {
      const entry = bodyOf(node);
      if (!entry?.body.nodes.some(hasProducts)) return node;
      const { key, body } = entry;
      const pass = new Autocast(body.nodes, namesOf(body.outputs), namesOf(body.inputs), this.tools);
      const graph = { ...body, nodes: pass.run() };
      const replaced = { ...node, attributes: { ...node.attributes, [key]: { graph } } };
      wanted.set(replaced, pass.wanted);
      return replaced;
    });
    return wanted;
  }

  private noteStored({ op, inputs, outputs, attributes }: OnnxNode): void {
    if (op !== 'Cast' || attributes['to'] !== onnxType.float32 || this.makers.has(inputs[0])) return;
    const type = this.tools.describe(inputs[0])?.dtype;
    if (type !== 'float16' && type !== 'bfloat16') return;
    this.exact.set(`${type} ${outputs[0]}`, inputs[0]);
    this.stored.add(outputs[0]);
  }

  private readAsItIs(node: OnnxNode): readonly string[] {
    return node.lowType ? node.inputs.slice(this.operandCount) : usedNames(node);
  }

  /** Values that products take behind nodes that move numbers are cast in front of those, where one of the products is far. */
  private carry(
    order: readonly OnnxNode[],
    reads: BufferReads,
    bodies: ReadonlyMap<OnnxNode, readonly Wanted[]>,
  ): void {
    const keptNames = new Set([...this.outputs, ...[...bodies.values()].flat().map(({ name }) => name)]);
    const isOperand = (node: OnnxNode, input: number) =>
      this.takenBy(node) === 'either' && input >= 0 && input < this.operandCount;
    const isWanted = (value: CarriedValue) =>
      value.maker.op !== 'Cast' && !bodyOf(value.maker) && this.waits(value, reads);
    for (const value of carriedValues(order, keptNames, isOperand, isWanted)) {
      const { name, maker, names } = value;
      const uncastName = this.tools.fresh();
      this.describeAs(uncastName, name, 'float32');
      this.madeAs.set(name, uncastName);
      this.insert(maker, castNode(uncastName, name, 'bfloat16', maker.part));
      for (const moved of names) {
        this.describeAs(moved, moved, 'bfloat16');
        this.carried.add(moved);
      }
      for (const node of value.carriers) this.carriers.add(node);
    }
  }

  private waits({ name, uses, carriers }: CarriedValue, reads: BufferReads): boolean {
    const groups = near(uses.map((at) => ({ at })));
    return groups.slice(1).some(([{ at }]) => !this.isThereAt(at, name, reads, carriers));
  }

  /** Whether a value is not kept for a use alone. @param carriers which do not count as others that read it */
  private isThereAt(
    at: number,
    name: string,
    reads: BufferReads,
    carriers: ReadonlySet<OnnxNode> = this.carriers,
  ): boolean {
    const isMade = this.makers.has(reads.ownerOf(name));
    return !isMade || (!this.stored.has(name) && at - reads.lastOf(name, carriers) <= NEAR);
  }

  /** All uses of each value in each type, but for those that are in it. */
  private usesByValue(
    order: readonly OnnxNode[],
    bodies: ReadonlyMap<OnnxNode, readonly Wanted[]>,
  ): Iterable<readonly Use[]> {
    const uses: Use[] = [];
    order.forEach((node, at) => {
      const { lowType: type } = node;
      const taken = this.takenBy(node);
      const operands = type ? node.inputs.slice(0, this.operandCount) : [];
      if (type) for (const name of new Set(operands)) uses.push({ node, at, name, type, taken, as: name });
      for (const wanted of bodies.get(node) ?? []) uses.push({ node, at, ...wanted });
    });
    const left = uses.filter(({ name }) => !this.carried.has(name));
    return groupBy(left, ({ type, name }) => `${type} ${name}`).values();
  }

  /** Inputs of a product that are rounded; a summand stays as it is, if it may. */
  private get operandCount(): number {
    return this.tools.products === 'native' ? 3 : 2;
  }

  private takenBy({ domain }: OnnxNode): Taken {
    if (this.tools.products === 'native') return 'low';
    return domain === NATIVE_DOMAIN ? 'either' : 'rounded';
  }

  /** @param uses in the order in which they are run */
  private castValue(uses: readonly Use[], reads: BufferReads): void {
    const [{ name, type }] = uses;
    if (this.isOutside(name)) {
      this.want(uses);
      return;
    }
    const exact = this.exact.get(`${type} ${name}`);
    let low = exact;
    for (const { uses: group, isThere, isLow } of this.groupsOf(uses, reads)) {
      if (!isLow) {
        for (const use of group) this.rename(use, name);
        continue;
      }
      // A value that is there anyway is rounded again: nothing else then waits for the use.
      const again = isThere && this.tools.products !== 'native';
      if (!exact && (low === undefined || again)) low = this.cast(name, name, type);
      this.renameGroup(group, low as string, exact && isThere ? name : undefined);
    }
  }

  /** From around the loop, once for all uses that take the same of it. */
  private want(uses: readonly Use[]): void {
    for (const [taken, alike] of groupBy(uses, (use) => use.taken)) {
      const [{ name, type }] = alike;
      const as = this.tools.fresh();
      this.wanted.push({ name, type, taken, as });
      for (const use of alike) this.rename(use, as);
    }
  }

  private groupsOf(uses: readonly Use[], reads: BufferReads): readonly Group[] {
    const [{ name, type }] = uses;
    const groups = near(uses);
    const isThere = groups.map(([{ at }], i) => i === 0 || this.isThereAt(at, name, reads));
    return groups.map((group, i) => {
      const waits = !isThere[i] || isThere[i + 1] === false;
      const isLow =
        waits || this.exact.has(`${type} ${name}`) || group.some(({ taken }) => taken !== 'either');
      return { uses: group, isThere: isThere[i], isLow };
    });
  }

  /** @param rounded the value, if its numbers have no more than 16 bits and it is there; else it is made of `low` */
  private renameGroup(group: readonly Use[], low: string, rounded: string | undefined): void {
    let roundedName = rounded;
    for (const use of group) {
      if (use.taken === 'rounded') roundedName ??= this.cast(low, use.name, 'float32');
      this.rename(use, use.taken === 'rounded' ? (roundedName as string) : low);
    }
  }

  private isOutside(name: string): boolean {
    return this.inputs !== undefined && !this.inputs.has(name) && !this.makers.has(name);
  }

  private rename({ node, as }: Use, result: string): void {
    const names = this.renamed.get(node) ?? new Map<string, string>();
    this.renamed.set(node, names.set(as, result));
  }

  /**
   * A cast of the value `name` right behind what makes it. A node is run when it is first needed, and of two inputs the one that
   * was made earlier last: what is cast for a gradient is so when that is there.
   * @param like whose shape it has
   */
  private cast(name: string, like: string, to: LowType | 'float32'): string {
    const output = this.tools.fresh();
    const maker = this.makers.get(name);
    this.insert(maker, castNode(name, output, to, maker?.part));
    this.describeAs(output, like, to);
    return output;
  }

  private insert(maker: OnnxNode | undefined, node: OnnxNode): void {
    this.behind.set(maker, [...(this.behind.get(maker) ?? []), node]);
    for (const name of node.outputs) this.makers.set(name, node);
  }

  private describeAs(name: string, like: string, dtype: LowType | 'float32'): void {
    const known = this.tools.describe(like);
    if (known) this.tools.record({ name, shape: known.shape, dtype });
  }

  /** A product that makes float16, as devices do; of bfloat16 the sum in float32 is kept where it can be. */
  private withRoundedResult(node: OnnxNode): OnnxNode {
    const { lowType, part } = node;
    const native = this.tools.products === 'native';
    if (lowType === undefined || (lowType === 'bfloat16' && !native)) return node;
    const [name] = node.outputs;
    const low = this.tools.fresh();
    const made = native ? low : this.tools.fresh();
    if (!native) this.describeAs(made, name, 'float32');
    this.describeAs(low, name, lowType);
    const product = { ...node, outputs: [made] };
    if (!native) this.insert(product, castNode(made, low, lowType, part));
    this.insert(product, castNode(low, name, 'float32', part));
    this.exact.set(`${lowType} ${name}`, low);
    return product;
  }

  private finished(node: OnnxNode): OnnxNode {
    const { lowType, ...plain } = node;
    const names = this.renamed.get(node) ?? new Map<string, string>();
    const inputs = node.inputs.map((name, i) =>
      lowType && i < this.operandCount ? (names.get(name) ?? name) : name,
    );
    const outputs = node.outputs.map((name) => this.madeAs.get(name) ?? name);
    const entry = bodyOf(node);
    if (!entry || names.size === 0) return { ...plain, inputs, outputs };
    const graph = withNames(entry.body, names);
    return { ...plain, inputs, outputs, attributes: { ...node.attributes, [entry.key]: { graph } } };
  }

  private behindOf(node: OnnxNode | undefined): readonly OnnxNode[] {
    return (this.behind.get(node) ?? []).flatMap((next) => [next, ...this.behindOf(next)]);
  }
}

const MATRIX_PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'FusedMatMul']);
const ONE = { float: 1 };

function numberOf(attribute: AttributeValue): number {
  return typeof attribute === 'object' && 'float' in attribute ? attribute.float : Number(attribute);
}

function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** Uses in groups, of which each is near the one before it. */
function near<U extends Pick<Use, 'at'>>(uses: readonly U[]): readonly (readonly U[])[] {
  const groups: U[][] = [];
  for (const use of uses) {
    const group = groups.at(-1);
    if (group && use.at - (group.at(-1)?.at ?? 0) <= NEAR) group.push(use);
    else groups.push([use]);
  }
  return groups;
}

function namesOf(values: readonly OnnxValue[]): ReadonlySet<string> {
  return new Set(values.map(({ name }) => name));
}

function hasProducts(node: OnnxNode): boolean {
  return node.lowType !== undefined || (bodyOf(node)?.body.nodes.some(hasProducts) ?? false);
}

function castNode(
  input: string,
  output: string,
  to: LowType | 'float32',
  part: string | undefined,
): OnnxNode {
  const attributes = { to: onnxType[to] };
  return { op: 'Cast', domain: '', inputs: [input], outputs: [output], attributes, ...(part && { part }) };
}
