// The interface of optimizers' arithmetic.
import { State, type Tensor, tf } from '../engine/index.js';
import type { Parameter } from '../nn/index.js';

/** Numbers of one optimizer step, as scalar tensors of the program. */
export type Scalars = Readonly<Record<string, Tensor>>;
/** The states an optimizer keeps for one parameter. */
export type Slots = Readonly<Record<string, State>>;

/** A state that an update rule keeps for a parameter, such as a moment. */
export interface SlotSpec {
  readonly shape: readonly number[];
  /** Every element's first value; 0 by default. */
  readonly fill?: number;
}

/**
 * The arithmetic of one optimizer for one parameter, apart from where its state lives and how groups are formed (see
 * optimizer.ts). Everything that changes from step to step arrives as a program input.
 */
export interface UpdateRule {
  /**
   * Host numbers of optimizer step `t` (counted from 1) at learning rate `lr`. The keys never change, so
   * that the program is compiled once.
   */
  scalars(t: number, lr: number): Readonly<Record<string, number>>;
  /** What is kept per parameter, by slot name. */
  slots(parameter: Parameter): Readonly<Record<string, SlotSpec>>;
  /** Assigns the slots and returns the parameter's new value. `p` and `g` have the parameter's shape. */
  apply(p: Tensor, g: Tensor, slots: Slots, scalars: Scalars): Tensor;
  /** Changes all gradients of a group together (a limit on their common norm) before `apply`. */
  prepare?(grads: readonly Tensor[]): readonly Tensor[];
}

/** Makes the states of a rule for one parameter, named `slot/parameter`. */
export function makeSlots(rule: UpdateRule, parameter: Parameter): Slots {
  const slots: Record<string, State> = {};
  for (const [label, spec] of Object.entries(rule.slots(parameter))) {
    const fill = spec.fill;
    const initial =
      fill === undefined || fill === 0
        ? undefined
        : () => new Float32Array(spec.shape.reduce((a, b) => a * b, 1)).fill(fill);
    slots[label] = new State(`${label}/${parameter.name}`, spec.shape, 'float32', initial);
  }
  return slots;
}

/** `keep·average + (1−keep)·x`. */
export function movingAverage(average: Tensor, x: Tensor, keep: number): Tensor {
  return tf.add(tf.mul(average, keep), tf.mul(x, 1 - keep));
}

/** Assigns and hands the value on. */
export function store(state: State, value: Tensor): Tensor {
  state.assign(value);
  return value;
}

/** The gradient of the loss plus ½·decay·‖p‖². */
export function withL2(p: Tensor, g: Tensor, decay: number): Tensor {
  return decay === 0 ? g : tf.add(g, tf.mul(p, decay));
}

/** Σx² as a scalar. */
export function squaredNorm(x: Tensor): Tensor {
  return tf.sum(tf.square(x));
}
