// Traces a function at several sizes and lays the graphs side by side: the same nodes in the same order, whose
// constants may differ. Finding out how they differ is generalise.ts's work.
import { AnemoneError } from '../../../errors/index.js';
import type { Tensors } from '../../engine.js';
import type { ProgramState } from '../../scope.js';
import type { TensorSpec } from '../../tensors.js';
import type { AttributeValue, OnnxGraph, OnnxInitializer, OnnxNode, OnnxValue } from '../onnx-graph.js';
import { STANDARD_ONLY } from '../provider-limits.js';
import { trace } from '../trace.js';
import { traceBackend } from '../trace-backend.js';

/** The graph of one trace. */
export interface Example {
  readonly graph: OnnxGraph;
  /** Name of each input of the function that is read. */
  readonly inputs: ReadonlyMap<string, OnnxValue>;
  readonly outputs: ReadonlyMap<string, OnnxValue>;
  readonly states: ReadonlyMap<ProgramState, OnnxValue>;
  readonly shapes: ReadonlyMap<string, OnnxValue>;
  readonly constants: ReadonlyMap<string, OnnxInitializer>;
}

/** @throws AnemoneError `export.program` for what no file can hold: random numbers, host calls, assigned states */
export function traceExample(
  name: string,
  fn: (inputs: Tensors) => Tensors,
  inputs: Readonly<Record<string, TensorSpec>>,
): Example {
  const traced = trace(fn, inputs, { limits: STANDARD_ONLY, anyShape: true });
  const { segments, calls, random, updates, states, outputs } = traced;
  const what =
    calls.length > 0 ? 'calls the host' : random.length > 0 ? 'draws random numbers' : 'sets states';
  if (calls.length + random.length + updates.size > 0) {
    throw new AnemoneError({ code: 'export.program', path: name, message: `${what}; it cannot be exported` });
  }
  const [graph] = segments;
  const constants = new Map(graph.initializers.map((constant) => [constant.name, constant]));
  const { knownShapes: shapes } = traceBackend();
  return { graph, inputs: traced.inputs, outputs, states, shapes, constants };
}

/** A node of the first example with its fellows of the others. */
export interface AlignedNode {
  readonly node: OnnxNode;
  /** What each input is. */
  readonly operands: readonly Operand[];
  /** Shapes of each output by example; undefined where not recorded. */
  readonly shapes: readonly (readonly (readonly number[])[] | undefined)[];
  /** Of a loop. */
  readonly body: AlignedBody | undefined;
}

export interface AlignedBody {
  readonly attribute: string;
  readonly nodes: readonly AlignedNode[];
  readonly inputs: readonly AlignedValue[];
  readonly outputs: readonly AlignedValue[];
}

export interface AlignedValue {
  readonly value: OnnxValue;
  /** By example. */
  readonly shapes: readonly (readonly number[])[];
}

/** A value of the first example, or a constant as it is in each. */
export type Operand = { readonly name: string } | { readonly constants: readonly OnnxInitializer[] };

/** @throws AnemoneError `export.topology` where the graphs are not built alike */
export function alignExamples(program: string, examples: readonly Example[]): readonly AlignedNode[] {
  return new Alignment(program, examples).nodes(examples.map(({ graph }) => graph));
}

class Alignment {
  /** By example: from names of the first example to its own. */
  private readonly names: readonly Map<string, string>[];

  constructor(
    private readonly program: string,
    private readonly examples: readonly Example[],
  ) {
    const [first] = examples;
    this.names = examples.map((example) => {
      const names = new Map<string, string>();
      for (const [key, { name }] of first.inputs) names.set(name, example.inputs.get(key)?.name ?? '');
      for (const [state, { name }] of first.states) names.set(name, example.states.get(state)?.name ?? '');
      return names;
    });
  }

  nodes(graphs: readonly OnnxGraph[]): AlignedNode[] {
    const [first] = graphs;
    const odd = graphs.find(({ nodes }) => nodes.length !== first.nodes.length);
    if (odd) this.fail(`${first.nodes.length} nodes at one size and ${odd.nodes.length} at another`);
    return first.nodes.map((node, i) =>
      this.node(
        graphs.map(({ nodes }) => nodes[i]),
        node,
      ),
    );
  }

  private node(fellows: readonly OnnxNode[], node: OnnxNode): AlignedNode {
    const label = `${node.op} (${node.outputs[0]})`;
    for (const fellow of fellows) {
      if (fellow.op !== node.op || plain(fellow) !== plain(node)) {
        this.fail(`${label} ${plain(node)} is ${fellow.op} ${plain(fellow)} at another size`);
      }
    }
    const operands = node.inputs.map((name, j) =>
      this.operand(
        name,
        fellows.map((n) => n.inputs[j]),
        label,
      ),
    );
    const body = this.body(fellows, node);
    node.outputs.forEach((name, j) => {
      this.names.forEach((names, k) => {
        names.set(name, fellows[k].outputs[j]);
      });
    });
    const shapes = node.outputs.map((_, j) => {
      const known = fellows.map((fellow, k) => this.examples[k].shapes.get(fellow.outputs[j])?.shape);
      return known.every((shape) => shape !== undefined) ? known : undefined;
    });
    return { node, operands, shapes: shapes as AlignedNode['shapes'], body };
  }

  private operand(name: string, own: readonly string[], label: string): Operand {
    if (this.examples[0].constants.has(name)) {
      const constants = own.map((n, k) => this.examples[k].constants.get(n));
      if (constants.includes(undefined)) this.fail(`an input of ${label} is a constant at one size only`);
      return { constants: constants as OnnxInitializer[] };
    }
    own.forEach((n, k) => {
      if (this.names[k].get(name) !== n) this.fail(`${label} reads another value at another size`);
    });
    return { name };
  }

  private body(fellows: readonly OnnxNode[], node: OnnxNode): AlignedBody | undefined {
    const attribute = Object.keys(node.attributes).find((key) => isGraph(node.attributes[key]));
    if (attribute === undefined) return undefined;
    const graphs = fellows.map((fellow) => (fellow.attributes[attribute] as { graph: OnnxGraph }).graph);
    const aligned = (values: (graph: OnnxGraph) => readonly OnnxValue[]): AlignedValue[] =>
      values(graphs[0]).map((value, j) => {
        const own = graphs.map((graph) => values(graph)[j]);
        own.forEach((v, k) => {
          this.names[k].set(value.name, v.name);
        });
        return { value, shapes: own.map(({ shape }) => shape) };
      });
    const inputs = aligned((graph) => graph.inputs);
    const nodes = this.nodes(graphs);
    return { attribute, inputs, nodes, outputs: aligned((graph) => graph.outputs) };
  }

  private fail(how: string): never {
    throw new AnemoneError({
      code: 'export.topology',
      path: this.program,
      message: `the computation depends on the length or the batch size: ${how}`,
      hint: 'components of your own must compute alike for all sizes where tracesAnyShape() says so',
    });
  }
}

const isGraph = (value: AttributeValue): boolean => typeof value === 'object' && 'graph' in value;

/** Domain, numbers of inputs and outputs, and attributes that are not graphs. */
function plain({ domain, inputs, outputs, attributes }: OnnxNode): string {
  const kept = Object.entries(attributes).filter(([, value]) => !isGraph(value));
  return JSON.stringify([domain, inputs.length, outputs.length, Object.fromEntries(kept)]);
}
