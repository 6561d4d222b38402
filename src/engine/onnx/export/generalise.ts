// From aligned examples to one graph for all sizes: numbers and tables that differ from example to example become
// small computations on the shapes of values that the graph has already made.
import { AnemoneError } from '../../../errors/index.js';
import { GraphBuilder, GraphNames } from '../graph-builder.js';
import {
  type AttributeValue,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxValue,
  onnxType,
} from '../onnx-graph.js';
import type { AlignedBody, AlignedNode, AlignedValue, Operand } from './examples.js';
import { type Simplified, simplified } from './simplify.js';
import { type Axis, type Formula, fitFormula, isConstant } from './sizes.js';
import { arithmeticStep, describeConstants, numbersOf, rowsInTable, varyingAxis } from './tables.js';

export interface GeneralGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
}

export interface GeneralProgram {
  readonly nodes: readonly AlignedNode[];
  /** Values from outside. */
  readonly inputs: readonly AlignedValue[];
  /** Names of values that the graph gives, which stay. */
  readonly outputs: ReadonlySet<string>;
}

/** Tables are taken from the last example, which must be the longest, and cut to length. */
export function generalise(program: string, { nodes, inputs, outputs }: GeneralProgram): GeneralGraph {
  const work = new Generalisation(program, outputs);
  for (const { value, shapes } of inputs) work.know(value.name, shapes, true);
  for (const node of nodes) work.outer(node);
  return { nodes: work.graph.nodes, initializers: work.graph.names.initializers };
}

/** Elements of a constant that are worth a formula each. */
const MOST_FORMULAS = 16;

/** Nodes that a graph has, or that a graph around it has: by what they compute, the names of their outputs. */
class MadeNodes {
  private readonly outputs = new Map<string, readonly string[]>();

  constructor(private readonly around?: MadeNodes) {}

  find(key: string): readonly string[] | undefined {
    return this.outputs.get(key) ?? this.around?.find(key);
  }

  add(key: string, outputs: readonly string[]): void {
    this.outputs.set(key, outputs);
  }
}

class Generalisation {
  readonly graph = new GraphBuilder(new PrefixedNames('all'));
  private readonly axes: Axis[] = [];
  private readonly shapes = new Map<string, AlignedValue['shapes']>();
  private readonly computed = new Map<string, string>();
  /** Values that are the same as others in every example. */
  private readonly aliases = new Map<string, string>();

  constructor(
    private readonly program: string,
    private readonly outputs: ReadonlySet<string>,
  ) {}

  private readonly made = new MadeNodes();

  outer(aligned: AlignedNode): void {
    this.place(aligned, this.graph.nodes, this.made, true);
  }

  /** `offered`: the lengths of its axes can be read from the value. */
  know(value: string, shapes: AlignedValue['shapes'], offered: boolean): void {
    this.shapes.set(value, shapes);
    if (offered) this.offerAxes(value, shapes);
  }

  /** The first value that has an axis of some lengths is where its length is read from. */
  private offerAxes(value: string, shapes: AlignedValue['shapes']): void {
    shapes[0].forEach((_, index) => {
      const sizes = shapes.map((shape) => shape[index]);
      if (isConstant(sizes)) return;
      const known = this.axes.some((axis) => axis.sizes.every((size, k) => size === sizes[k]));
      if (!known) this.axes.push({ value, index, sizes });
    });
  }

  /** Puts a node among `nodes`, unless what it computes is there in every example. */
  private place(aligned: AlignedNode, nodes: OnnxNode[], made: MadeNodes, outer: boolean): void {
    const short = simplified(aligned, (name) => this.shapes.get(this.aliases.get(name) ?? name));
    const kept = aligned.node.outputs.some((name) => this.outputs.has(name));
    const same = this.sameAs(short, nodes, made, kept);
    if (same) {
      aligned.node.outputs.forEach((name, j) => {
        this.aliases.set(name, same[j]);
      });
      return;
    }
    aligned.shapes.forEach((shapes, j) => {
      if (shapes) this.know(aligned.node.outputs[j], shapes, outer);
    });
  }

  /** Values that are the outputs; else the node is added. `kept`: its outputs keep their names. */
  private sameAs(
    short: Simplified,
    nodes: OnnxNode[],
    made: MadeNodes,
    kept: boolean,
  ): readonly string[] | undefined {
    if ('same' in short && !kept) return [this.aliases.get(short.same) ?? short.same];
    const aligned = 'same' in short ? short.identity : short.node;
    const node = this.node(aligned, made);
    const alone = aligned.body !== undefined || node.op === 'Identity';
    const key = alone ? '' : JSON.stringify([node.op, node.inputs, node.attributes, node.outputs.length]);
    const known = alone || kept ? undefined : made.find(key);
    if (known) return known;
    nodes.push(node);
    if (!alone) made.add(key, node.outputs);
    return undefined;
  }

  /** `aligned` with inputs for all sizes; what computes them is put before it. */
  private node(aligned: AlignedNode, made: MadeNodes): OnnxNode {
    const { node, operands, body } = aligned;
    const inputs = operands.map((operand, j) => this.input(operand, node, j));
    if (node.domain !== '') {
      this.fail(`${node.op} is not an operator of the ONNX standard`);
    }
    const attributes = body
      ? { ...node.attributes, [body.attribute]: this.body(body, made) }
      : node.attributes;
    return { ...node, inputs, attributes };
  }

  /** Constants of a loop's body are computed outside of it. */
  private body({ nodes, inputs, outputs }: AlignedBody, made: MadeNodes): AttributeValue {
    const general = ({ value, shapes }: AlignedValue): OnnxValue => ({ ...value, dims: freeAxes(shapes) });
    for (const { value, shapes } of inputs) this.know(value.name, shapes, false);
    const own = new MadeNodes(made);
    const placed: OnnxNode[] = [];
    for (const node of nodes) this.place(node, placed, own, false);
    return {
      graph: {
        nodes: placed,
        inputs: inputs.map(general),
        outputs: outputs.map(general),
        initializers: [],
      },
    };
  }

  private input(operand: Operand, node: OnnxNode, index: number): string {
    if ('name' in operand) return this.aliases.get(operand.name) ?? operand.name;
    const { constants } = operand;
    const [first] = constants;
    if (constants.every((constant) => same(constant, first))) {
      return this.graph.names.constant(first.bytes, first.shape, first.dtype);
    }
    const isReshape = node.op === 'Reshape';
    const key = [isReshape, ...constants.map(identity)].join();
    const name = this.computed.get(key) ?? this.numbers(constants, isReshape) ?? this.table(constants);
    if (name) {
      this.computed.set(key, name);
      return name;
    }
    return this.fail(
      `input ${index} of ${node.op} (${node.outputs[0]}) is no known function of the sizes: ${describeConstants(constants)}`,
    );
  }

  /**
   * A few whole numbers, each by a formula. A Reshape itself knows one axis when the others are given; that is asked
   * for only where no formula is found (products of quotients).
   */
  private numbers(constants: readonly OnnxInitializer[], isReshape: boolean): string | undefined {
    const [{ shape, dtype }] = constants;
    if (!constants.every((constant) => constant.shape.join() === shape.join())) return undefined;
    if (shape.reduce((count, size) => count * size, 1) > MOST_FORMULAS) return undefined;
    const values = constants.map(numbersOf);
    if (!values.flat().every(Number.isInteger)) return undefined;
    const formulas = values[0].map((_, i) =>
      fitFormula(
        values.map((list) => list[i]),
        this.axes,
      ),
    );
    const unknown = formulas.filter((formula) => formula === undefined).length;
    if (unknown > (isReshape ? 1 : 0)) return undefined;
    const vector = this.vector(formulas.map((formula) => formula ?? { constant: -1, terms: [] }));
    const shaped = shape.length === 1 ? vector : this.op('Reshape', [vector, this.int64(shape)]);
    return dtype === 'int64' ? shaped : this.op('Cast', [shaped], { to: onnxType[dtype] });
  }

  /** A table that is longer in longer examples: counted up, or cut from the longest. */
  private table(constants: readonly OnnxInitializer[]): string | undefined {
    const axis = varyingAxis(constants);
    if (axis === undefined) return undefined;
    const last = constants[constants.length - 1];
    const count = fitFormula(
      constants.map(({ shape }) => shape[axis]),
      this.axes,
    );
    if (!count) return undefined;
    const counted = last.dtype === 'int32' ? arithmeticStep(constants) : undefined;
    if (counted) {
      const end = {
        constant: counted.first + counted.step * count.constant,
        terms: scaled(count, counted.step),
      };
      const limits = [this.scalar({ constant: counted.first, terms: [] }), this.scalar(end)];
      const range = this.op('Range', [...limits, this.scalar({ constant: counted.step, terms: [] })]);
      const typed = this.op('Cast', [range], { to: onnxType.int32 });
      return last.shape.length === 1
        ? typed
        : this.op('Reshape', [typed, this.int64(last.shape.map((_, i) => (i === axis ? -1 : 1)))]);
    }
    const starts = rowsInTable(constants, axis);
    const start = starts && fitFormula(starts, this.axes);
    if (!start) return undefined;
    const end = { constant: start.constant + count.constant, terms: [...start.terms, ...count.terms] };
    const whole = this.graph.names.constant(last.bytes, last.shape, last.dtype);
    return this.op('Slice', [whole, this.vector([start]), this.vector([end]), this.int64([axis])]);
  }

  private vector(formulas: readonly Formula[]): string {
    const parts = formulas.map((formula) => this.size(formula));
    return parts.length === 1 ? parts[0] : this.op('Concat', parts, { axis: 0 });
  }

  private scalar(formula: Formula): string {
    return this.op('Reshape', [this.size(formula), this.int64([])]);
  }

  /** The number of a formula, int64 [1]. */
  private size({ constant, terms }: Formula): string {
    const parts = terms.map(({ factor, atoms }) => {
      const factors = atoms.map(({ axis, plus, over }) => {
        const shape = this.op('Shape', [axis.value], { start: axis.index, end: axis.index + 1 });
        const shifted = plus === 0 ? shape : this.op('Add', [shape, this.int64([plus])]);
        return over === 1 ? shifted : this.op('Div', [shifted, this.int64([over])]);
      });
      if (factor !== 1) factors.push(this.int64([factor]));
      return factors.reduce((product, name) => this.op('Mul', [product, name]));
    });
    if (constant !== 0 || parts.length === 0) parts.push(this.int64([constant]));
    return parts.reduce((sum, name) => this.op('Add', [sum, name]));
  }

  private int64(values: readonly number[]): string {
    return this.graph.names.int64(values);
  }

  private op(op: string, inputs: readonly string[], attributes: Record<string, AttributeValue> = {}): string {
    const key = `${op}|${inputs.join()}|${JSON.stringify(attributes)}`;
    const name = this.computed.get(key) ?? this.graph.one(op, inputs, { attributes });
    this.computed.set(key, name);
    return name;
  }

  private fail(message: string): never {
    throw new AnemoneError({ code: 'export.not-general', path: this.program, message });
  }
}

/** Names apart from those of the examples. */
class PrefixedNames extends GraphNames {
  override fresh(): string {
    return `c${super.fresh()}`;
  }
}

/** Fixed axes with their size, others without. */
export function freeAxes(shapes: readonly (readonly number[])[]): (number | string)[] {
  return shapes[0].map((size, i) => (shapes.every((shape) => shape[i] === size) ? size : ''));
}

const scaled = ({ terms }: Formula, by: number) =>
  terms.map((term) => ({ ...term, factor: term.factor * by }));

/** Content of what is small, the name of what is not. */
function identity({ name, dtype, shape, bytes }: OnnxInitializer): string {
  if (bytes.length > 128) return name;
  return `${dtype}|${shape.join()}|${Buffer.from(bytes).toString('latin1')}`;
}

function same(a: OnnxInitializer, b: OnnxInitializer): boolean {
  return (
    a === b ||
    (a.dtype === b.dtype && a.shape.join() === b.shape.join() && Buffer.compare(a.bytes, b.bytes) === 0)
  );
}
