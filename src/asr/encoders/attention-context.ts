// How far the attention of an encoder looks: one context, or several of which each training batch draws one.
import { randomBits, type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { type AttentionMask, attentionMask, type Pass } from '../../nn/index.js';
import type { ContextSize } from './conformer-config.js';

export interface AttentionContextConfig {
  readonly att_context_size: ContextSize | readonly ContextSize[] | null;
  readonly att_context_probs: readonly number[] | null;
  readonly att_context_style: 'regular' | 'chunked_limited';
}

export class AttentionContexts {
  readonly all: readonly ContextSize[];
  private readonly probabilities: readonly number[];
  private readonly style: 'regular' | 'chunked_limited';

  constructor({
    att_context_size: size,
    att_context_probs: probs,
    att_context_style: style,
  }: AttentionContextConfig) {
    this.all = contextList(size);
    this.style = style;
    this.probabilities = probs && probs.length > 0 ? probs : this.all.map(() => 1 / this.all.length);
    if (style === 'chunked_limited') for (const context of this.all) checkChunks(context, this.all.length);
    if (this.probabilities.length !== this.all.length) {
      throw contextError(
        'att_context_probs',
        `${this.probabilities.length} probabilities for ${this.all.length} contexts`,
      );
    }
    const total = this.probabilities.reduce((sum, value) => sum + value, 0);
    if (Math.abs(total - 1) > 1e-6)
      throw contextError('att_context_probs', `the probabilities sum to ${total}, not 1`);
  }

  /** A number in [0, 1) for one training batch; undefined where the first context holds. */
  draw(pass: Pass): Tensor | undefined {
    if (!pass.training || this.all.length === 1) return undefined;
    return tf.reshape(tf.mul(tf.cast(randomBits(1, 23), 'float32'), tf.scalar(2 ** -23)), []);
  }

  /** valid [B,T], 1 for real frames. */
  mask(valid: Tensor, draw: Tensor | undefined): AttentionMask {
    const masks = (draw ? this.all : this.all.slice(0, 1)).map(([left, right]) =>
      attentionMask(valid, { style: this.style, left, right }),
    );
    if (!draw) return masks[0];
    let bias = masks[masks.length - 1].bias;
    let cumulative = 1 - this.probabilities[masks.length - 1];
    for (let i = masks.length - 2; i >= 0; i--) {
      const isChosen = tf.cast(tf.less(draw, tf.scalar(cumulative)), 'float32');
      bias = tf.add(bias, tf.mul(tf.sub(masks[i].bias, bias), isChosen));
      cumulative -= this.probabilities[i];
    }
    return { bias, queries: masks[0].queries };
  }
}

function contextList(size: AttentionContextConfig['att_context_size']): readonly ContextSize[] {
  if (size === null || size.length === 0) return [[-1, -1]];
  return Array.isArray(size[0]) ? (size as readonly ContextSize[]) : [size as ContextSize];
}

function checkChunks([left, right]: ContextSize, count: number): void {
  if (right < 0 && count <= 1) {
    throw contextError('att_context_size', `[${left}, ${right}] has no end on the right, which chunks need`);
  }
  if (left > 0 && right >= 0 && left % (right + 1) !== 0) {
    throw contextError(
      'att_context_size',
      `[${left}, ${right}]: chunks are ${right + 1} frames long, and ${left} is not a multiple of that`,
    );
  }
}

function contextError(key: string, message: string): AnemoneError {
  return new AnemoneError({ code: 'encoder.attention-context', path: `encoder.${key}`, message });
}
