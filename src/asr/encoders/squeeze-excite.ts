// Squeeze and excitation over time (Hu et al. 2018; ContextNet: Han et al. 2020).
import { randomBits, type Tensor, tf } from '../../engine/index.js';
import { type Activation, type Initializer, Linear, Module, type Pass } from '../../nn/index.js';

export interface SqueezeExciteOptions {
  readonly channels: number;
  readonly hidden: number;
  /** Frames averaged in training, at a random place; negative for all of them. Evaluation averages all. */
  readonly context: number;
  readonly activation: Activation;
  readonly weightInit: (fanIn: number, fanOut: number) => Initializer;
}

/** Each channel times σ(fc2(activation(fc1(mean over time)))). Padding is left out, and zero afterwards. */
export class SqueezeExcite extends Module {
  private readonly squeeze: Linear;
  private readonly excite: Linear;

  constructor(private readonly options: SqueezeExciteOptions) {
    super();
    const { channels, hidden, weightInit } = options;
    const between = (from: number, to: number): Linear =>
      new Linear(from, to, { bias: false, weightInit: weightInit(from, to) });
    this.squeeze = this.child('fc.0', between(channels, hidden));
    this.excite = this.child('fc.2', between(hidden, channels));
  }

  /** x [B,T,C], mask [B,T,1] with 1 for real frames → [B,T,C]. */
  forward(x: Tensor, mask: Tensor, pass: Pass): Tensor {
    const [batch, , channels] = x.shape;
    const realFrames = tf.mul(x, mask);
    const hidden = this.options.activation(this.squeeze.forward(this.average(realFrames, mask, pass)));
    const gate = tf.sigmoid(this.excite.forward(hidden));
    return tf.mul(realFrames, tf.reshape(gate, [batch, 1, channels]));
  }

  /** Mean of real frames, [B,C]. */
  private average(realFrames: Tensor, mask: Tensor, pass: Pass): Tensor {
    const { context } = this.options;
    const frames = realFrames.shape[1]!;
    if (context < 0 || !pass.training || frames < context)
      return tf.div(tf.sum(realFrames, 1), tf.sum(mask, 1));
    const window = randomWindow(frames, context, pass.extent?.frames);
    const count = tf.add(tf.sum(tf.mul(mask, window), 1), tf.scalar(1e-8));
    return tf.div(tf.sum(tf.mul(realFrames, window), 1), count);
  }
}

/**
 * 1 on `width` of `frames` frames, starting anywhere with equal probability; [1,T,1]. Of those frames the first
 * `batchFrames`, int32 [1], are the batch's; where they are fewer than `width`, all of them are in the window.
 */
function randomWindow(frames: number, width: number, batchFrames: Tensor | undefined): Tensor {
  const places = batchFrames
    ? tf.maximum(tf.sub(tf.cast(batchFrames, 'float32'), tf.scalar(width)), tf.scalar(0))
    : tf.scalar(frames - width);
  const draw = tf.mul(tf.mul(tf.cast(randomBits(1, 23), 'float32'), tf.scalar(2 ** -23)), places);
  const start = tf.reshape(tf.floor(draw), [1, 1, 1]);
  const time = tf.tensor(
    Float32Array.from({ length: frames }, (_, t) => t),
    [1, frames, 1],
  );
  const inside = tf.logicalAnd(tf.greaterEqual(time, start), tf.less(time, tf.add(start, tf.scalar(width))));
  return tf.cast(inside, 'float32');
}
