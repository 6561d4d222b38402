// A module with the two parameters p [2,3] and q [3] of the golden optimizer vectors.
import { float32, type HostTensors } from '../../src/engine/index.js';
import { Module, type Parameter } from '../../src/nn/index.js';

export class TwoParameters extends Module {
  readonly p: Parameter;
  readonly q: Parameter;

  constructor(shape: readonly number[] = [2, 3]) {
    super();
    this.p = this.parameter('p', shape, () => Float32Array.from({ length: 6 }, (_, i) => 0.5 * Math.cos(i)));
    this.q = this.parameter('q', [3], () =>
      Float32Array.from({ length: 3 }, (_, i) => 0.2 * Math.sin(1 + i)),
    );
  }
}

/** Gradients of step t = 0, 1, 2, 3. */
export function gradients(t: number, shape: readonly number[] = [2, 3]): HostTensors {
  return {
    p: float32(
      Array.from({ length: 6 }, (_, i) => Math.sin(0.7 * i + t)),
      [...shape],
    ),
    q: float32(
      Array.from({ length: 3 }, (_, i) => 0.3 * Math.cos(i + 0.5 * t)),
      [3],
    ),
  };
}
