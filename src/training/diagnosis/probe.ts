// A pass that records how large every module's output and its gradient are, and whether they are finite.
import { type Tensor, type Tensors, tf } from '../../engine/index.js';
import { customGradient, type Pass } from '../../nn/index.js';

/** Size of a tensor: greatest absolute finite value, and how many values are not finite. */
export interface Extent {
  readonly maxAbs: number;
  readonly nonfinite: number;
  readonly count: number;
}

/** The place of a measurement, and what was measured there. */
export interface Measurement extends Extent {
  readonly stage: 'input' | 'weight' | 'output' | 'loss' | 'output gradient' | 'weight gradient';
  /** Module path, or name of the input or parameter. */
  readonly name: string;
}

/** Measurements while a program runs; `outputs` are its results, in the order of computation. */
export class Probe {
  private readonly kept: { readonly key: string; readonly tensor: Tensor }[] = [];

  /** Records `x`; the record outlives the memory scopes of differentiation. */
  record(stage: Measurement['stage'], name: string, x: Tensor): void {
    if (x.dtype !== 'float32') return;
    const key = `${String(this.kept.length).padStart(5, '0')}|${stage}|${name}|${x.size}`;
    this.kept.push({ key, tensor: tf.keep(tf.tidy(() => extent(x))) });
  }

  /** Forward outputs under their path, and their gradients as they come back. */
  pass(): Pass {
    return {
      training: true,
      tap: (path, x, again) => {
        if (!again) this.record('output', path, x);
        return this.watchGradient(path, x);
      },
    };
  }

  outputs(): Tensors {
    const outputs: Tensors = {};
    for (const { key, tensor } of this.kept) {
      outputs[key] = tf.clone(tensor);
      tensor.dispose();
    }
    return outputs;
  }

  private watchGradient(path: string, x: Tensor): Tensor {
    if (x.dtype !== 'float32') return x;
    return customGradient(
      [x],
      () => ({ value: tf.clone(x), saved: [] }),
      (dy) => {
        this.record('output gradient', path, dy);
        return [tf.clone(dy)];
      },
    );
  }
}

/** [greatest absolute finite value, number of values that are not finite]. */
function extent(x: Tensor): Tensor {
  const finite = tf.isFinite(x);
  const size = tf.max(tf.abs(tf.where(finite, x, tf.zerosLike(x))));
  const finiteCount = tf.sum(tf.cast(finite, 'float32'));
  return tf.stack([size, tf.sub(x.size, finiteCount)]);
}

/** What a program returned from `outputs()`, in order. */
export function measurementsOf(
  results: Readonly<Record<string, { readonly data: ArrayLike<number> }>>,
): Measurement[] {
  return Object.keys(results)
    .filter((key) => /^\d{5}\|/.test(key))
    .sort()
    .map((key) => {
      const [, stage, name, count] = key.split('|');
      const [maxAbs, nonfinite] = Array.from(results[key].data);
      return { stage: stage as Measurement['stage'], name, maxAbs, nonfinite, count: Number(count) };
    });
}
