// One Squeezeformer layer (Kim et al. 2022): attention, feed-forward, convolution, feed-forward, each with a learnt
// scale before it and layer normalisation after its residual sum.
import { AdapterSlot } from '../../adapters/index.js';
import { type State, type Tensor, tf } from '../../engine/index.js';
import {
  block,
  dropout,
  FeedForward,
  LayerNorm,
  Module,
  MultiHeadAttention,
  ones,
  type Pass,
  RelativeMultiHeadAttention,
  zeros,
} from '../../nn/index.js';
import { ConformerConvolution } from './conformer-convolution.js';
import { attentionPositions, type LayerContext } from './conformer-layer.js';
import type { SqueezeformerEncoderConfig } from './squeezeformer-config.js';

/** x·scale + bias; with `adaptive` false the two stay 1 and 0, and stand in checkpoints all the same. */
class ScaleBias extends Module {
  private readonly scale: State;
  private readonly bias: State;

  constructor(width: number, adaptive: boolean) {
    super();
    const fixed = (label: string, value: number): State =>
      this.buffer(label, [width], () => new Float32Array(width).fill(value));
    this.scale = adaptive ? this.parameter('scale', [width], ones) : fixed('scale', 1);
    this.bias = adaptive ? this.parameter('bias', [width], zeros) : fixed('bias', 0);
  }

  forward(x: Tensor): Tensor {
    return tf.add(tf.mul(x, this.scale.tensor()), this.bias.tensor());
  }
}

interface Part {
  readonly scale: ScaleBias;
  readonly norm: LayerNorm;
}

export class SqueezeformerLayer extends Module {
  readonly selfAttention: MultiHeadAttention;
  private readonly attention: Part;
  private readonly feedForward1: FeedForward;
  private readonly first: Part;
  private readonly conv: ConformerConvolution;
  private readonly convolution: Part;
  private readonly feedForward2: FeedForward;
  private readonly second: Part;
  private readonly adapters: AdapterSlot;

  /** `tied` is the first layer, when all layers use its position biases. */
  constructor(
    private readonly config: SqueezeformerEncoderConfig,
    tiedLayer?: SqueezeformerLayer,
  ) {
    super();
    const { d_model: width, dropout: rate } = config;
    const part = (scale: string, norm: string): Part => ({
      scale: this.child(scale, new ScaleBias(width, config.adaptive_scale)),
      norm: this.child(norm, new LayerNorm(width)),
    });
    const feedForward = (): FeedForward =>
      new FeedForward(width, width * config.ff_expansion_factor, { dropout: rate });
    this.feedForward1 = this.child('feed_forward1', feedForward());
    this.first = part('feed_forward1_scale', 'norm_feed_forward1');
    this.conv = this.child('conv', convolution(config));
    this.convolution = part('conv_scale', 'norm_conv');
    this.selfAttention = this.child('self_attn', attention(config, tiedLayer?.selfAttention));
    this.attention = part('self_attn_scale', 'norm_self_att');
    this.feedForward2 = this.child('feed_forward2', feedForward());
    this.second = part('feed_forward2_scale', 'norm_feed_forward2');
    this.adapters = this.child(
      'adapter_layer',
      new AdapterSlot({ width, attention: attentionPositions(config) }),
    );
  }

  /** x [B,T,d] → [B,T,d]. */
  forward(x: Tensor, { positions, mask }: LayerContext, pass: Pass): Tensor {
    const step = (x: Tensor, { scale, norm }: Part, module: (y: Tensor, pass: Pass) => Tensor): Tensor =>
      norm.forward(
        block(x, pass, (x, residual, pass) =>
          tf.add(residual, dropout(module(scale.forward(x), pass), this.config.dropout, pass)),
        ),
      );
    const attended = step(x, this.attention, (y, pass) =>
      this.selfAttention instanceof RelativeMultiHeadAttention
        ? this.selfAttention.forward(y, mask, pass, positions)
        : this.selfAttention.forward(y, mask, pass),
    );
    // What attention adapters add goes into the feed-forward module and not past it, as in NeMo.
    const { scale, norm } = this.first;
    const adapted = scale.forward(this.adapters.attend(attended, mask, positions, pass));
    const addition = block(adapted, pass, (x, _, pass) =>
      dropout(this.feedForward1.forward(x, pass), this.config.dropout, pass),
    );
    const fedForward = norm.forward(tf.add(attended, addition));
    const convolved = step(fedForward, this.convolution, (y, pass) =>
      this.conv.forward(y, mask.queries, pass),
    );
    const out = step(convolved, this.second, (y, pass) => this.feedForward2.forward(y, pass));
    return pass.tap(this.path, this.adapters.forward(out, pass));
  }
}

function convolution(config: SqueezeformerEncoderConfig): ConformerConvolution {
  const { d_model, conv_kernel_size, conv_norm_type } = config;
  return new ConformerConvolution({
    d_model,
    conv_kernel_size,
    conv_norm_type,
    conv_context_size: null,
    use_bias: true,
    gated: false,
  });
}

function attention(
  config: SqueezeformerEncoderConfig,
  owner: MultiHeadAttention | undefined,
): MultiHeadAttention {
  const options = { width: config.d_model, heads: config.n_heads, dropout: config.dropout_att };
  if (config.self_attention_model === 'abs_pos') return new MultiHeadAttention(options);
  return new RelativeMultiHeadAttention(
    options,
    owner instanceof RelativeMultiHeadAttention ? owner : undefined,
  );
}
