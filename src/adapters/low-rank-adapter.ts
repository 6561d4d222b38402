// Low-rank adapters (Hu et al. 2021, LoRA): beside a frozen linear map W stands the product of two narrow ones, and
// y = Wx + (alpha / rank) · B(Ax).
import { gemm, type Tensor, tf } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import { dropout, type FusedRows, type Initializer, type Linear, type LinearUpdate, Module, normal, type Parameter, type Pass, uniform, zeros } from '../nn/index.js'; // biome-ignore format: one line
import { Adapter } from './adapter.js';
import type { TargetOptions } from './target-modules.js';

/** How a map of an adapter starts; `xavier` is normal, as NeMo's. */
export type LowRankInit = 'xavier' | 'normal' | 'kaiming' | 'zero';

/** What a low-rank adapter is made of, under NeMo's keys. */
export interface LowRankConfig extends TargetOptions {
  /** Rank: width between the two maps. */
  readonly dim: number;
  /** What is added is multiplied by alpha / dim. null: by 1. */
  readonly alpha: number | null;
  readonly dropout: number;
  /** Whether dropout is on what goes in, or on what is added. */
  readonly dropout_position: 'pre' | 'post';
  readonly column_init_method: LowRankInit;
  readonly row_init_method: LowRankInit;
}

/** Factor of what an adapter adds. */
export function lowRankScale({ alpha, dim }: Pick<LowRankConfig, 'alpha' | 'dim'>): number {
  return (alpha ?? dim) / dim;
}

/** A narrow map and one back: `linear_in.weight` [r, in], `linear_out.weight` [out, r]. */
export class LowRankPair extends Module {
  readonly narrow: Parameter;
  readonly wide: Parameter;

  constructor(
    readonly rank: number,
    into: number,
    out: number,
    { column_init_method: first, row_init_method: second }: LowRankConfig,
  ) {
    super();
    this.narrow = this.parameter('linear_in.weight', [rank, into], initializerOf(first, into, rank));
    this.wide = this.parameter('linear_out.weight', [out, rank], initializerOf(second, rank, out));
  }

  /** x [N, in] → scale · B(Ax) [N, out]. */
  product(x: Tensor, scale: number): Tensor {
    const low = gemm(x, this.narrow.tensor(), undefined, { transposeB: true });
    return gemm(low, this.wide.tensor(), undefined, { transposeB: true, alpha: scale });
  }
}

/**
 * LoRA beside one linear map. Of a map that stands for several it is one pair for all of them (NeMo's `nemo` variant), or a
 * pair for each of the parts that are adapted (`canonical`, as in Hugging Face's PEFT).
 */
export class LowRankAdapter extends Adapter implements LinearUpdate {
  /** By part; `''` is the whole map. */
  readonly pairs = new Map<string, LowRankPair>();
  private rows: FusedRows | undefined;

  constructor(readonly config: LowRankConfig) {
    super({ stochastic_depth: 0, l2_lambda: 0 });
  }

  /** Makes its weights for a map. @param parts those that get a pair of their own; none: one pair for the whole */
  fit(map: Linear, parts: readonly string[]): void {
    const { dim } = this.config;
    if (parts.length === 0) {
      this.pairs.set('', this.child('', new LowRankPair(dim, map.inFeatures, map.outFeatures, this.config)));
      return;
    }
    this.rows = map.rows as FusedRows;
    const { groups } = this.rows;
    for (const { name, rows } of this.rows.parts) {
      if (!parts.includes(name)) continue;
      const pair = new LowRankPair(dim, map.inFeatures, groups * rows, this.config);
      this.pairs.set(name, this.child(`${name}_adapter`, pair));
    }
  }

  /** alpha / rank: what the product is multiplied by. */
  get scale(): number {
    return lowRankScale(this.config);
  }

  addition(x: Tensor, pass: Pass | undefined): Tensor {
    const { dropout: rate, dropout_position: position } = this.config;
    if (rate > 0 && !pass) throw withoutDropout(this.path);
    const drop = (x: Tensor, where: 'pre' | 'post'): Tensor =>
      pass && position === where ? dropout(x, rate, pass) : x;
    return drop(this.sum(drop(x, 'pre')), 'post');
  }

  /** x [N, in] → [N, out], zeros for parts without a pair. */
  private sum(x: Tensor): Tensor {
    const whole = this.pairs.get('');
    if (whole) return whole.product(x, this.scale);
    const count = x.shape[0];
    const { groups, parts } = this.rows as FusedRows;
    const columns = parts.map(({ name, rows }) => {
      const pair = this.pairs.get(name);
      return pair
        ? tf.reshape(pair.product(x, this.scale), [count, groups, rows])
        : tf.zeros([count, groups, rows]);
    });
    return tf.reshape(tf.concat(columns, 2), [count, -1]);
  }
}

function initializerOf(method: LowRankInit, into: number, out: number): Initializer {
  if (method === 'zero') return zeros;
  if (method === 'normal') return normal(0.2);
  // kaiming_uniform_ with a = √5
  if (method === 'kaiming') return uniform(1 / Math.sqrt(into));
  return normal(Math.sqrt(2 / (into + out)));
}

function withoutDropout(path: string): AnemoneError {
  return new AnemoneError({
    code: 'adapter.dropout',
    path,
    message: 'this map has no dropout to switch on and off',
    hint: 'set the dropout of the adapter to 0, or leave the map out of target_modules',
  });
}
