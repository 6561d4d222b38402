// A layer of a decoder: attention to what came before, then a feed-forward block.
import { type AttentionCache, type Tensor, tf } from '../../engine/index.js';
import { block, dropout, Module, normal, type Pass } from '../../nn/index.js';
import { DecoderMlp } from './mlp.js';
import { DecoderNorm, normformerKinds } from './norm.js';
import type { DecoderOptions, LayerNames } from './options.js';
import { DecoderAttention, type SequenceContext } from './self-attention.js';

export class DecoderLayer extends Module {
  private readonly inputNorm: DecoderNorm;
  private readonly attention: DecoderAttention;
  private readonly attentionOutputNorm: DecoderNorm | undefined;
  private readonly mlpNorm: DecoderNorm;
  private readonly mlp: DecoderMlp;
  private readonly mlpOutputNorm: DecoderNorm | undefined;

  constructor(
    private readonly options: DecoderOptions,
    index: number,
    names: LayerNames,
  ) {
    super();
    const { width, inner, norm, epsilon, initStd, scalesInit, layers, activation, bias } = options;
    const normAt = (place: { label: string; weight: string; bias: string }): DecoderNorm =>
      this.child(place.label, new DecoderNorm(width, norm, epsilon, place));
    const outputNorm = (label: string): DecoderNorm | undefined =>
      options.normsOutputs ? this.child(label, new DecoderNorm(width, norm, epsilon)) : undefined;
    const inInit = normal(initStd);
    const outInit = scalesInit ? normal(initStd / Math.sqrt(2 * layers)) : inInit;
    const more = options.order === 'normformer' ? normformerKinds(norm) : undefined;
    const innerNorm = more && { kind: more.inMlp, epsilon };
    const mlp = { activation, bias, dropout: options.innerDropout ?? 0, inInit, outInit, norm: innerNorm };
    this.inputNorm = normAt(names.inputNorm);
    this.attention = this.child(names.attention, new DecoderAttention(options, index, names));
    this.attentionOutputNorm = more
      ? this.child(names.normformerNorm, new DecoderNorm(width, more.afterAttention, epsilon))
      : outputNorm(names.attentionOutputNorm);
    this.mlpNorm = normAt(names.mlpNorm);
    this.mlp = this.child(names.mlp, new DecoderMlp(width, inner, mlp, names));
    this.mlpOutputNorm = outputNorm(names.mlpOutputNorm);
  }

  /** x [B,T,d] → same shape. */
  forward(x: Tensor, context: SequenceContext, pass: Pass): Tensor {
    return pass.tap(
      this.path,
      this.blocks(x, (x, pass) => this.attention.forward(x, context, pass), pass),
    );
  }

  /** S new positions; see `DecoderAttention.extend`. */
  extend(
    x: Tensor,
    cache: AttentionCache,
    context: SequenceContext,
    pass: Pass,
  ): { y: Tensor; key: Tensor; value: Tensor } {
    let present: { key: Tensor; value: Tensor } | undefined;
    const attend = (x: Tensor): Tensor => {
      const { y, ...added } = this.attention.extend(x, cache, context, pass);
      present = added;
      return y;
    };
    const y = this.blocks(x, attend, pass);
    return { y, ...(present as { key: Tensor; value: Tensor }) };
  }

  private blocks(x: Tensor, attend: (x: Tensor, pass: Pass) => Tensor, pass: Pass): Tensor {
    const { order = 'pre_ln', hiddenDropout = 0 } = this.options;
    const normsBefore = order !== 'post_ln';
    const added = (
      x: Tensor,
      { before, after }: { before: DecoderNorm; after: DecoderNorm | undefined },
      compute: (x: Tensor, pass: Pass) => Tensor,
    ): Tensor => {
      const sum = block(x, pass, (x, residual, pass) => {
        const y = compute(normsBefore ? before.forward(x) : x, pass);
        return tf.add(residual, dropout(after ? after.forward(y) : y, hiddenDropout, pass));
      });
      return normsBefore ? sum : before.forward(sum);
    };
    const attended = added(x, { before: this.inputNorm, after: this.attentionOutputNorm }, attend);
    return added(attended, { before: this.mlpNorm, after: this.mlpOutputNorm }, (x, pass) =>
      this.mlp.forward(x, pass),
    );
  }
}
