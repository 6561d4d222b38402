// Moves transposes before what is computed number by number, up to the values that a list of nodes is given: gradients of
// convolutions come in ONNX's order of axes, and the tracer turns the values of an update as late as it can. An update
// whose values are all in the order of its state is one over vectors.
import { sizeOf } from '../../tensors.js';
import type { OnnxNode, OnnxValue } from '../onnx-graph.js';
import { POINTWISE } from './vectors.js';

export interface EarlyTransposes {
  /** Transposes of given values. */
  readonly transposes: readonly OnnxNode[];
  /** What they make. */
  readonly values: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
}

type Describe = (name: string) => OnnxValue | undefined;

/**
 * @param shapeOf shapes of values, where they are known
 * @param isGiven values that may be turned where they are made
 */
export function withEarlyTransposes(
  nodes: readonly OnnxNode[],
  shapeOf: Describe,
  isGiven: (name: string) => boolean,
): EarlyTransposes {
  const mover = new Mover(nodes, shapeOf, isGiven);
  const moved = nodes.flatMap((node) => (node.op === 'Transpose' ? mover.before(node) : [node]));
  return { transposes: mover.transposes, values: mover.values, nodes: moved };
}

class Mover {
  readonly transposes: OnnxNode[] = [];
  readonly values: OnnxValue[] = [];
  private readonly makers: ReadonlyMap<string, OnnxNode>;
  private readonly done = new Set<string>();

  constructor(
    nodes: readonly OnnxNode[],
    private readonly shapeOf: Describe,
    private readonly isGiven: (name: string) => boolean,
  ) {
    this.makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  }

  /** What stands for a transpose: itself where its input is not computed number by number of what is given. */
  before(node: OnnxNode): readonly OnnxNode[] {
    const perm = node.attributes['perm'] as readonly number[];
    const [name] = node.inputs;
    if (!this.canTurn(name)) return [node];
    const turned: OnnxNode[] = [];
    const result = this.turn(name, perm, turned);
    return [...turned, { ...node, op: 'Identity', inputs: [result], attributes: {} }];
  }

  private canTurn(name: string): boolean {
    const shape = this.shapeOf(name)?.shape;
    if (!shape) return false;
    const maker = this.makers.get(name);
    if (!maker) return this.isGiven(name);
    if (maker.domain !== '' || !POINTWISE.has(maker.op)) return false;
    return maker.inputs.every((input) => {
      if (this.isSingle(input)) return true;
      return this.shapeOf(input)?.shape.join() === shape.join() && this.canTurn(input);
    });
  }

  /** The name of the value with its axes in the order `perm`; the nodes that it takes are added to `nodes`. */
  private turn(name: string, perm: readonly number[], nodes: OnnxNode[]): string {
    const turned = `${name}_${perm.join('')}`;
    if (this.done.has(turned)) return turned;
    this.done.add(turned);
    const maker = this.makers.get(name);
    if (!maker) this.turnGiven(name, perm, turned);
    else {
      const inputs = maker.inputs.map((input) =>
        this.isSingle(input) ? input : this.turn(input, perm, nodes),
      );
      nodes.push({ ...maker, inputs, outputs: [turned] });
      this.describe(name, perm, turned);
    }
    return turned;
  }

  private turnGiven(name: string, perm: readonly number[], turned: string): void {
    const attributes = { perm };
    this.transposes.push({ op: 'Transpose', domain: '', inputs: [name], outputs: [turned], attributes });
    this.describe(name, perm, turned);
  }

  private describe(name: string, perm: readonly number[], turned: string): void {
    const { shape, dtype } = this.shapeOf(name) as OnnxValue;
    this.values.push({ name: turned, shape: perm.map((axis) => shape[axis]), dtype });
  }

  private isSingle(name: string): boolean {
    return sizeOf(this.shapeOf(name)?.shape ?? [2]) === 1;
  }
}
