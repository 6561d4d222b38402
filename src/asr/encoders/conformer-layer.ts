// One Conformer layer (Gulati et al. 2020): half feed-forward, self-attention, convolution, half feed-forward.
import { AdapterSlot, type AttentionPositions } from '../../adapters/index.js';
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  type AttentionMask,
  block,
  dropout,
  FeedForward,
  LayerNorm,
  LocalMultiHeadAttention,
  Module,
  MultiHeadAttention,
  type Pass,
  RelativeMultiHeadAttention,
} from '../../nn/index.js';
import type { Past } from './chunk.js';
import type { ContextSize, ResolvedConformerConfig } from './conformer-config.js';
import { ConformerConvolution } from './conformer-convolution.js';

/** What all layers share in one forward pass. */
export interface LayerContext {
  /** Encodings of relative positions, [2T-1,d] or those of `localPositions`; undefined for absolute ones. */
  readonly positions: Tensor | undefined;
  readonly mask: AttentionMask;
}

/** What a layer has seen before x, when x goes on where other frames ended. */
export interface LayerPast {
  readonly attention: Past;
  readonly convolution: Past;
}

export class ConformerLayer extends Module {
  private readonly normFeedForward1: LayerNorm;
  private readonly feedForward1: FeedForward;
  private readonly normSelfAttention: LayerNorm;
  readonly selfAttention: MultiHeadAttention;
  private readonly normConv: LayerNorm;
  private readonly conv: ConformerConvolution;
  private readonly normFeedForward2: LayerNorm;
  private readonly feedForward2: FeedForward;
  private readonly normOut: LayerNorm;
  readonly adapters: AdapterSlot;

  /** `tied` is the first layer, when all layers use its position biases. */
  constructor(
    private readonly config: ResolvedConformerConfig,
    tiedLayer?: ConformerLayer,
  ) {
    super();
    const { d_model: width, use_bias: bias } = config;
    const hidden = width * config.ff_expansion_factor;
    const feedForward = (): FeedForward => new FeedForward(width, hidden, { bias, dropout: config.dropout });
    this.normFeedForward1 = this.child('norm_feed_forward1', new LayerNorm(width));
    this.feedForward1 = this.child('feed_forward1', feedForward());
    this.normSelfAttention = this.child('norm_self_att', new LayerNorm(width));
    this.selfAttention = this.child('self_attn', attention(config, tiedLayer));
    this.normConv = this.child('norm_conv', new LayerNorm(width));
    this.conv = this.child('conv', new ConformerConvolution(config));
    this.normFeedForward2 = this.child('norm_feed_forward2', new LayerNorm(width));
    this.feedForward2 = this.child('feed_forward2', feedForward());
    this.normOut = this.child('norm_out', new LayerNorm(width));
    this.adapters = this.child(
      'adapter_layer',
      new AdapterSlot({ width, attention: attentionPositions(config) }),
    );
  }

  /** x [B,T,d] → [B,T,d]. */
  forward(x: Tensor, context: LayerContext, pass: Pass, past?: LayerPast): Tensor {
    const { attention: attentionPast, convolution: convolutionPast } = past ?? {};
    let y = this.half(x, this.normFeedForward1, this.feedForward1, pass);
    y = block(y, pass, (y, residual, pass) =>
      this.added(
        residual,
        this.attend(this.normSelfAttention.forward(y), context, pass, attentionPast),
        pass,
      ),
    );
    y = this.adapters.attend(y, context.mask, context.positions, pass);
    y = block(y, pass, (y, residual, pass) =>
      this.added(
        residual,
        this.conv.forward(this.normConv.forward(y), context.mask.queries, pass, convolutionPast),
        pass,
      ),
    );
    y = this.half(y, this.normFeedForward2, this.feedForward2, pass);
    return pass.tap(this.path, this.adapters.forward(this.normOut.forward(y), pass));
  }

  /** x and half of what its feed-forward block makes of it. */
  private half(x: Tensor, norm: LayerNorm, feedForward: FeedForward, pass: Pass): Tensor {
    return block(x, pass, (x, residual, pass) => {
      const y = dropout(feedForward.forward(norm.forward(x), pass), this.config.dropout, pass);
      return tf.add(residual, tf.mul(y, tf.scalar(0.5)));
    });
  }

  private added(x: Tensor, y: Tensor, pass: Pass): Tensor {
    return tf.add(x, dropout(y, this.config.dropout, pass));
  }

  private attend(x: Tensor, { mask, positions }: LayerContext, pass: Pass, past?: Past): Tensor {
    past?.see(x);
    const keys = past?.frames ? tf.concat([past.frames, x], 1) : x;
    return this.selfAttention instanceof RelativeMultiHeadAttention
      ? this.selfAttention.forward(x, mask, pass, positions, keys)
      : this.selfAttention.forward(x, mask, pass);
  }
}

/** The one context of local attention. */
export function localContext({ att_context_size: size }: ResolvedConformerConfig): ContextSize {
  const flat = size?.flat() ?? [];
  if (flat.length !== 2 || Math.min(...flat) < 0 || Math.max(...flat) === 0) {
    throw new AnemoneError({
      code: 'encoder.local-context',
      path: 'encoder.att_context_size',
      message: 'local attention needs one pair of limits, such as [128, 128]',
    });
  }
  return [flat[0], flat[1]];
}

/** Local attention's masks and positions are of another form, which attention adapters do not know. */
export function attentionPositions(config: {
  readonly self_attention_model: string;
}): AttentionPositions | undefined {
  const { self_attention_model: model } = config;
  return model === 'rel_pos' || model === 'abs_pos' ? model : undefined;
}

function attention(
  config: ResolvedConformerConfig,
  tiedLayer: ConformerLayer | undefined,
): MultiHeadAttention {
  const options = {
    width: config.d_model,
    heads: config.n_heads,
    dropout: config.dropout_att,
    bias: config.use_bias,
  };
  if (config.self_attention_model === 'abs_pos') return new MultiHeadAttention(options);
  if (config.self_attention_model === 'rel_pos_local_attn') {
    const [left, right] = localContext(config);
    return new LocalMultiHeadAttention({
      ...options,
      left,
      right,
      globalTokens: config.global_tokens,
      globalSpacing: config.global_tokens_spacing,
      globalSeparate: config.global_attn_separate,
    });
  }
  const owner = tiedLayer?.selfAttention;
  return new RelativeMultiHeadAttention(
    options,
    owner instanceof RelativeMultiHeadAttention ? owner : undefined,
  );
}
