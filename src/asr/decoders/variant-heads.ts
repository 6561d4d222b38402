// The heads of a joint whose outputs follow a transducer variant, and the order of the picks the losses expect:
// blank, next label, then big blanks or durations.
import { inFullPrecision, type Tensor, tf } from '../../engine/index.js';
import { arcSelectors, type JointHead } from './joint-picks.js';
import { outputLayout, type TransducerVariant } from './transducer-variant.js';

/**
 * The parts of a joint's outputs that are normalised each by itself, with the arcs of the lattice that each has.
 * @param vocabulary number of tokens V
 */
export function variantHeads(variant: TransducerVariant, vocabulary: number): JointHead[] {
  const { blank, tokens, durations } = outputLayout(variant, vocabulary);
  const bigBlanks = variant.kind === 'multiblank' ? variant.durations.map((_, i) => blank - 1 - i) : [];
  const main: JointHead = { size: tokens, arcs: [blank, 'label', ...bigBlanks] };
  return durations === 0
    ? [main]
    : [main, { size: durations, arcs: Array.from({ length: durations }, (_, i) => i) }];
}

/** logits [..., K] → log-probabilities of tokens and blanks [..., tokens] and of durations [..., D] if any. */
export function splitOutputs(
  logits: Tensor,
  variant: TransducerVariant,
  vocabulary: number,
): { tokens: Tensor; durations: Tensor | undefined } {
  const { tokens, durations } = outputLayout(variant, vocabulary);
  if (durations === 0) return { tokens: tf.logSoftmax(logits), durations: undefined };
  const [first, last] = tf.split(logits, [tokens, durations], logits.rank - 1);
  return { tokens: tf.logSoftmax(first), durations: tf.logSoftmax(last) };
}

/** Picks of given logits [B,T,U+1,K], [B,U+1,T,P]: what `jointPicks` gives without ever holding all logits. */
export function picksOfLogits(logits: Tensor, targets: Tensor, heads: readonly JointHead[]): Tensor {
  const [batch, frames, rows] = logits.shape;
  const byRow = tf.transpose(logits, [0, 2, 1, 3]);
  const sizes = heads.map((head) => head.size);
  const parts = sizes.length === 1 ? [byRow] : tf.split(byRow, sizes, 3);
  const picks = parts.map((part, i) => {
    const grouped = tf.reshape(tf.logSoftmax(part), [batch * rows, frames, sizes[i]]);
    const selectors = arcSelectors(targets, heads[i]);
    return inFullPrecision(() => tf.matMul(grouped, selectors, false, true));
  });
  const joined = picks.length === 1 ? picks[0] : tf.concat(picks, 2);
  return tf.reshape(joined, [batch, rows, frames, joined.shape[2]!]);
}
