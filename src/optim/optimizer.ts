// The interface of optimizers, and the one class that all built-in optimizers are.
import { float32, type HostTensor, type State, type Tensor, tf } from '../engine/index.js';
import type { Parameter } from '../nn/index.js';
import { makeSlots, type Scalars, type Slots, type UpdateRule } from './update-rule.js';

/** Parameters that are updated with the same settings. */
export interface ParameterGroup {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly rule: UpdateRule;
  /** Base learning rate, which the schedule shapes. */
  readonly lr: number;
}

/** Learning rate of a group with this base learning rate. */
export type LearningRate = (base: number) => number;

/**
 * An optimizer as the Trainer sees it: states, the numbers a step needs from the host, and the update inside a
 * program. Parameter groups share one arithmetic per group (update-rule.ts).
 */
export interface Optimizer {
  readonly name: string;
  readonly groups: readonly ParameterGroup[];
  /** All parameters, in the order in which `update` takes their gradients. */
  readonly parameters: readonly Parameter[];
  /** Everything a checkpoint must hold besides the parameters. */
  readonly slots: readonly State[];
  /** Program input for optimizer step `t`, counted from 1: float32 [n], the same n always. */
  scalars(t: number, rate: LearningRate): HostTensor;
  /** Inside a program: assigns new values to parameters and slots. `grads[i]` belongs to `parameters[i]`. */
  update(grads: readonly Tensor[], scalars: Tensor): void;
}

/** An optimizer that applies one update rule a group to each of the group's parameters. */
export class GroupedOptimizer implements Optimizer {
  readonly parameters: readonly Parameter[];
  readonly slots: readonly State[];
  private readonly slotsOf: ReadonlyMap<Parameter, Slots>;

  constructor(
    readonly name: string,
    readonly groups: readonly ParameterGroup[],
  ) {
    this.parameters = groups.flatMap((group) => group.parameters);
    this.slotsOf = new Map(
      groups.flatMap(({ parameters, rule }) => parameters.map((p) => [p, makeSlots(rule, p)] as const)),
    );
    this.slots = [...this.slotsOf.values()].flatMap((slots) => Object.values(slots));
  }

  scalars(t: number, rate: LearningRate): HostTensor {
    const values = this.groups.flatMap((group) => Object.values(group.rule.scalars(t, rate(group.lr))));
    // A program input has at least one element, even for a rule that needs none.
    return float32([...values, 0], [values.length + 1]);
  }

  update(grads: readonly Tensor[], scalars: Tensor): void {
    let offset = 0;
    let at = 0;
    for (const { rule, parameters } of this.groups) {
      const namedValues = namedScalars(rule, scalars, at);
      at += Object.keys(namedValues).length;
      const groupGrads = grads.slice(offset, offset + parameters.length);
      const prepared = rule.prepare ? rule.prepare(groupGrads) : groupGrads;
      offset += parameters.length;
      parameters.forEach((parameter, i) => {
        const slots = this.slotsOf.get(parameter) ?? {};
        parameter.assign(rule.apply(parameter.tensor(), prepared[i], slots, namedValues));
      });
    }
  }
}

function namedScalars(rule: UpdateRule, scalars: Tensor, from: number): Scalars {
  const names = Object.keys(rule.scalars(1, 1));
  return Object.fromEntries(
    names.map((name, i) => [name, tf.reshape(tf.slice(scalars, [from + i], [1]), [])]),
  );
}
