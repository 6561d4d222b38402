// An encoder that Anemone does not have: a time-delay network (Waibel et al. 1989; dilated as in Peddinti et al.
// 2015). It is ordinary TensorFlow.js: the engine compiles it with the rest of the training step and derives
// its gradients.
import { type Encoded, type Encoder, encoderKind } from '../../src/asr/index.js';
import { defineSchema, type InferConfig, listOf } from '../../src/config/index.js';
import { component, type Tensor, tf } from '../../src/index.js';
import { dropout, frameMask, LayerNorm, Linear, Module, type Pass } from '../../src/nn/index.js';

/** The keys of the YAML mapping, what they may be and what they mean. Unknown keys and wrong types are reported. */
export const timeDelaySchema = defineSchema(
  'TimeDelayEncoder',
  {
    feat_in: { doc: 'Mel bins.', format: 'int', min: 1 },
    width: { doc: 'Width of the layers and of the output.', format: 'int', min: 1 },
    stacking: { doc: 'Feature frames put side by side into one.', format: 'int', min: 1, default: 4 },
    dilations: {
      doc: 'One layer each: the distance, in stacked frames, of the neighbours it sees.',
      format: listOf('int', { min: 1 }),
      default: [1, 2, 4],
    },
    dropout: { doc: 'After each layer.', format: 'number', min: 0, below: 1, default: 0 },
  },
  { doc: 'Layers that see a frame and two neighbours, ever further apart.' },
);

export type TimeDelayConfig = InferConfig<typeof timeDelaySchema>;

/** One layer: x + relu(W·[x(t-d), x(t), x(t+d)]), normalised. */
class TimeDelayLayer extends Module {
  private readonly norm: LayerNorm;
  private readonly map: Linear;

  constructor(
    width: number,
    private readonly dilation: number,
    private readonly rate: number,
  ) {
    super();
    this.norm = this.child('norm', new LayerNorm(width));
    this.map = this.child('map', new Linear(3 * width, width));
  }

  /** x [B,T,d], mask [B,T,1] with 0 for padding → [B,T,d]. */
  forward(x: Tensor, mask: Tensor, pass: Pass): Tensor {
    const [batch, frames, width] = x.shape;
    const d = this.dilation;
    // Padding is silenced first, so that an utterance gives the same output in every batch.
    const own = tf.mul(this.norm.forward(x), mask);
    const padded = tf.pad(own, [
      [0, 0],
      [d, d],
      [0, 0],
    ]);
    const seen = [0, d, 2 * d].map((start) => tf.slice(padded, [0, start, 0], [batch, frames, width]));
    return tf.add(x, dropout(tf.relu(this.map.forward(tf.concat(seen, 2))), this.rate, pass));
  }
}

export class TimeDelayEncoder extends Module implements Encoder {
  readonly width: number;
  readonly subsamplingFactor: number;
  private readonly input: Linear;
  private readonly layers: readonly TimeDelayLayer[];

  constructor(private readonly config: TimeDelayConfig) {
    super();
    this.width = config.width;
    this.subsamplingFactor = config.stacking;
    // The names given to `child` and `children` are those of the weights in checkpoints.
    this.input = this.child('input', new Linear(config.stacking * config.feat_in, config.width));
    this.layers = this.children(
      'layers',
      config.dilations.map((dilation) => new TimeDelayLayer(config.width, dilation, config.dropout)),
    );
  }

  outputLength(frames: number): number {
    return Math.ceil(frames / this.config.stacking);
  }

  /** features [B,T,F], featureLengths int32 [B] → [B,⌈T/stacking⌉,width]. */
  forward(features: Tensor, featureLengths: Tensor, pass: Pass): Encoded {
    const { stacking, feat_in: bins } = this.config;
    const [batch, frames] = features.shape;
    const reduced = this.outputLength(frames);
    const whole = tf.pad(features, [
      [0, 0],
      [0, reduced * stacking - frames],
      [0, 0],
    ]);
    const stacked = tf.reshape(whole, [batch, reduced, stacking * bins]);
    const rounded = tf.add(featureLengths, tf.scalar(stacking - 1, 'int32'));
    const lengths = tf.floorDiv(rounded, tf.scalar(stacking, 'int32'));
    const mask = tf.reshape(frameMask(lengths, reduced), [batch, reduced, 1]);
    let x = this.input.forward(stacked);
    for (const layer of this.layers) x = layer.forward(x, mask, pass);
    // `tap` lets reports and diagnosis see what goes by.
    return { encoded: pass.tap(this.path, x), lengths };
  }
}

/** What makes `_target_: TimeDelayEncoder` mean this class. */
export const timeDelayEncoder = component({
  kind: encoderKind,
  name: 'TimeDelayEncoder',
  schema: timeDelaySchema,
  create: (config) => new TimeDelayEncoder(config),
});
