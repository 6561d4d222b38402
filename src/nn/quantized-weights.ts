// Weights of few bits that stand in for those of linear maps while a program is traced: for generation, which has no gradients.
import { type Engine, matMulLevels, type QuantizedMatrix, State, type Tensor } from '../engine/index.js';
import type { Parameter } from './parameter.js';

interface StandIn {
  readonly matrix: QuantizedMatrix;
  readonly levels: State;
  readonly scales: State;
}

let current: QuantizedWeights | undefined;

/** Matrices by the names of the parameters that they stand in for. An engine holds their values. */
export class QuantizedWeights {
  private readonly matrices: ReadonlyMap<string, StandIn>;

  constructor(matrices: Iterable<readonly [string, QuantizedMatrix]>) {
    this.matrices = new Map(
      [...matrices].map(([name, matrix]) => {
        const { levels, scales } = matrix;
        const state = (kind: string, { shape, dtype }: typeof levels) =>
          new State(`${name}.${kind}`, shape, dtype);
        return [name, { matrix, levels: state('levels', levels), scales: state('scales', scales) }];
      }),
    );
  }

  /** Gives the values to an engine, whose they are from then on. */
  async write(engine: Engine): Promise<void> {
    for (const { matrix, levels, scales } of this.matrices.values()) {
      await engine.write(levels, matrix.levels.data, true);
      await engine.write(scales, matrix.scales.data, true);
    }
  }

  /** The engine forgets the values. */
  release(engine: Engine): void {
    engine.release([...this.matrices.values()].flatMap(({ levels, scales }) => [levels, scales]));
  }

  /** Runs `fn`, whose linear maps use these weights. */
  standIn<R>(fn: () => R): R {
    const outer = current;
    current = this;
    try {
      return fn();
    } finally {
      current = outer;
    }
  }

  /** x [n,K] · weightᵀ, of a weight [N,K]; undefined where none stands in for it. */
  product(x: Tensor, { name }: Parameter): Tensor | undefined {
    const found = this.matrices.get(name);
    return found && matMulLevels(x, found.matrix, found.levels.tensor(), found.scales.tensor(), true);
  }
}

/** x [n,K] · weightᵀ by the weight that stands in for one [N,K]; undefined: none does. */
export function productWithStandIn(x: Tensor, weight: Parameter): Tensor | undefined {
  return current?.product(x, weight);
}
