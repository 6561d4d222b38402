// Affine maps of the last axis.
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { fanInUniform, type Initializer } from '../initializers.js';
import { Module } from '../module.js';
import type { Parameter } from '../parameter.js';
import type { Pass } from '../pass.js';

/**
 * x·weightᵀ + bias over the last axis; the leading axes become the rows of a single matrix product.
 * x [..., in], weight [out, in], bias [out] → [..., out].
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [out, width] = weight.shape;
  const leading = x.shape.slice(0, -1);
  const rows = x.rank === 2 ? x : tf.reshape(x, [-1, width]);
  const product = tf.matMul(rows, weight, false, true);
  const y = bias ? tf.add(product, bias) : product;
  return x.rank === 2 ? y : tf.reshape(y, [...leading, out]);
}

/** How a linear map starts and how its weight is stored. Default initial values are PyTorch's. */
export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean | undefined;
  readonly weightInit?: Initializer | undefined;
  readonly biasInit?: Initializer | undefined;
  /**
   * Trailing axes of size 1 in the stored weight: 1 for weights that PyTorch keeps as a pointwise Conv1d
   * [out, in, 1]. Default 0.
   */
  readonly kernelAxes?: number;
  /** Whether `forward` is all that uses the weight, so that what is added to its results is heard. Default true. */
  readonly adapts?: boolean;
  /** What the rows of the weight are, where one map stands for several. */
  readonly rows?: FusedRows;
}

/**
 * Rows of a map that stands for several: of each group those of every part, one part after the other. Megatron's queries,
 * keys and values have a group for each head of keys; a gate and what it multiplies are one group.
 */
export interface FusedRows {
  readonly groups: number;
  /** Rows that each part has in a group. */
  readonly parts: readonly { readonly name: string; readonly rows: number }[];
}

/** What stands beside a linear map and adds to what it gives, such as a low-rank adapter. */
export interface LinearUpdate extends Module {
  /** What is added for x [N, in] → [N, out]. @param pass absent where the map's owner does not say whether it trains */
  addition(x: Tensor, pass: Pass | undefined): Tensor;
}

/** `weight` [out, in], `bias` [out]; initial values as PyTorch's nn.Linear, U(±1/√in). */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  /** Whether updates of this map are heard. */
  readonly adapts: boolean;
  /** Where the map stands for several. */
  readonly rows: FusedRows | undefined;
  private readonly updates = new Map<string, { readonly update: LinearUpdate; enabled: boolean }>();

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearOptions = {},
  ) {
    super();
    this.adapts = options.adapts ?? true;
    this.rows = options.rows;
    const initial = fanInUniform(inFeatures);
    const kernel = new Array<number>(options.kernelAxes ?? 0).fill(1);
    this.weight = this.parameter(
      'weight',
      [outFeatures, inFeatures, ...kernel],
      options.weightInit ?? initial,
    );
    this.bias =
      options.bias === false ? undefined : this.parameter('bias', [outFeatures], options.biasInit ?? initial);
  }

  /** x [..., in] → [..., out]. @param pass what updates with dropout need */
  forward(x: Tensor, pass?: Pass): Tensor {
    const y = this.product(x);
    const enabled = [...this.updates.values()].filter((entry) => entry.enabled);
    if (enabled.length === 0) return y;
    const rows = tf.reshape(x, [-1, this.inFeatures]);
    const additions = enabled.map(({ update }) => tf.reshape(update.addition(rows, pass), y.shape));
    return additions.reduce((sum, addition) => tf.add(sum, addition), y);
  }

  /** The map itself, without what stands beside it. */
  protected product(x: Tensor): Tensor {
    const stored = this.weight.tensor();
    const weight = stored.rank === 2 ? stored : tf.reshape(stored, [this.outFeatures, this.inFeatures]);
    return linear(x, weight, this.bias?.tensor());
  }

  /** Where updates stand, for the names of their weights. */
  get updatesPath(): string {
    return `${this.path}.${UPDATES}`;
  }

  /**
   * Puts an update beside the map, enabled.
   * @throws AnemoneError `nn.not-adaptable` where something else reads the weight, and would not hear of it
   */
  addUpdate<U extends LinearUpdate>(name: string, update: U): U {
    if (!this.adapts) {
      throw new AnemoneError({
        code: 'nn.not-adaptable',
        path: this.path,
        message:
          'the weight of this map is read by a loss or an operator of its own, which would not hear of an adapter',
        hint: 'leave it out of target_modules',
      });
    }
    this.updates.set(name, { update: this.child(`${UPDATES}.${name}`, update), enabled: true });
    return update;
  }

  /** The update of this name; undefined where there is none. */
  updateOf(name: string): LinearUpdate | undefined {
    return this.updates.get(name)?.update;
  }

  /** Whether an update takes part from now on. */
  enableUpdate(name: string, enabled: boolean): void {
    const entry = this.updates.get(name);
    if (entry) entry.enabled = enabled;
  }

  /** Takes an update away for good. */
  removeUpdate(name: string): void {
    if (this.updates.delete(name)) this.removeChild(`${UPDATES}.${name}`);
  }
}

/** NeMo's name of the place where adapters stand. */
const UPDATES = 'adapter_layer';
