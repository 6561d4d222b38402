// A prediction network that looks at the last few tokens only, NeMo's StatelessTransducerDecoder: one
// embedding for each position of the history, side by side (Ghodsi et al. 2020).
import { type Tensor, tf } from '../../engine/index.js';
import { dropout, Embedding, layerNormOp, type Module, type Pass } from '../../nn/index.js';
import { type StatelessDecoderConfig, statelessDecoderSchema } from './config.js';
import { PredictionNetwork } from './prediction-network.js';

/**
 * A prediction network that looks at the last few tokens only, NeMo's StatelessTransducerDecoder: one embedding for
 * each position of the history, side by side (Ghodsi et al. 2020).
 */
export class StatelessTransducerDecoder extends PredictionNetwork {
  override readonly width: number;
  override readonly vocabulary: number;
  /** One unused number when there is no history beyond the last token: programs have no empty tensors. */
  override readonly stateSize: number;
  private readonly context: number;
  private readonly embeds: readonly Embedding[];
  private readonly normalise: boolean;
  private readonly dropout: number;

  constructor(config: StatelessDecoderConfig) {
    super();
    const {
      prednet,
      vocab_size: vocabulary,
      context_size: context,
      normalization_mode: mode,
    } = statelessDecoderSchema.withDefaults(config);
    this.width = prednet.pred_hidden;
    this.vocabulary = vocabulary;
    this.context = context;
    this.stateSize = Math.max(context - 1, 1);
    this.normalise = mode === 'layer';
    this.dropout = prednet.dropout;
    const older = Math.floor(Math.floor(this.width / 2) / context);
    this.embeds = Array.from({ length: context }, (_, i) => {
      const width = i === 0 ? this.width - older * (context - 1) : older;
      const table = new Embedding(vocabulary + 1, width, { paddingIndex: vocabulary });
      return this.child(`prediction.embeds.${i}`, table);
    });
  }

  override get vocabularyLayers(): readonly Module[] {
    return this.embeds;
  }

  /** History before the first token is blank, whose embedding is zero. */
  override initialState(): Float32Array {
    return new Float32Array(this.stateSize).fill(this.vocabulary);
  }

  override forward(targets: Tensor, pass: Pass): Tensor {
    const [batch, length] = targets.shape as [number, number];
    const parts = this.embeds.map((embed, i) => {
      const embedded = embed.forward(targets);
      if (i === 0) return embedded;
      const knownLength = Math.max(length - i, 0);
      const missingRows = tf.zeros([batch, length - knownLength, embed.width]);
      return tf.concat([missingRows, tf.slice(embedded, [0, 0, 0], [batch, knownLength, embed.width])], 1);
    });
    const output = this.finish(dropout(tf.concat(parts, 2), this.dropout, pass));
    return pass.tap(this.path, tf.concat([tf.zeros([batch, 1, this.width]), output], 1));
  }

  override step(last: Tensor, state: Tensor): { output: Tensor; state: Tensor } {
    const [batch] = last.shape;
    const newest = tf.reshape(last, [batch, 1]);
    // Oldest first, as NeMo keeps it.
    const history = this.context === 1 ? newest : tf.concat([tf.cast(state, 'int32'), newest], 1);
    const parts = this.embeds.map((embed, i) =>
      embed.forward(tf.reshape(tf.slice(history, [0, this.context - 1 - i], [batch, 1]), [batch])),
    );
    const keptHistory = tf.slice(history, [0, 1], [batch, this.context - 1]);
    const next = this.context === 1 ? tf.clone(state) : tf.cast(keptHistory, 'float32');
    return { output: this.finish(tf.concat(parts, 1)), state: next };
  }

  private finish(x: Tensor): Tensor {
    return this.normalise ? layerNormOp(x, tf.ones([this.width]), tf.zeros([this.width]), 1e-5) : x;
  }
}
