// Cross-entropy of the next token over a large vocabulary. Logits of all tokens would be the largest tensor of a language
// model, several times over: above a bound they exist for some rows at a time, and their gradients are made as they go (cf. Wijmans et al. 2024, "Cut Your Losses in Large-Vocabulary Language Models").
import { gemm, later, nativeOp, scan, type Tensor, type Twin, tf } from '../../engine/index.js';
import { customGradient } from '../layers/custom-gradient.js';

/** What is summed. */
export interface VocabularyLossOptions {
  /** How many rows of the table are words; those after them are padding, and no token's. Default: all. */
  readonly words?: number | undefined;
  /** Logits are softcap · tanh(logit / softcap) (Gemma Team 2024). Default: as they are. */
  readonly softcap?: number | undefined;
  /** Most bytes of the logits that are in memory at once. Default 32 MiB. */
  readonly mostBytes?: number;
  /** Whether the table's gradient is wanted, which costs a third of the products. Default true. */
  readonly trainsTable?: boolean;
}

const MOST_BYTES = 2 ** 25;
/** More would make the program long, and products of a few rows are slow. */
const MOST_CHUNKS = 64;
/** As good as minus infinity, and a number. */
const NEVER = -1e30;

/** Rows that are worked on at once, and how many such chunks there are. */
interface Chunks {
  readonly rows: number;
  readonly count: number;
}

/**
 * Σ weight · −log p(label | hidden) over tokens, and its gradients for `hidden` and `table`.
 * @param hidden [N,d] @param table [V,d] @param labels int32 [N] @param weights [N], 0 for tokens that do not count
 * @returns a scalar
 */
export function vocabularyLoss(
  hidden: Tensor,
  table: Tensor,
  labels: Tensor,
  weights: Tensor,
  options: VocabularyLossOptions = {},
): Tensor {
  const [count, width] = hidden.shape as [number, number];
  const chunks = chunksOf(count, table.shape[0], options.mostBytes);
  const words = wordMask(table.shape[0], options.words);
  const { trainsTable = true } = options;
  const forward = () => {
    const losses: Tensor[] = [];
    const grads: Tensor[] = [];
    let dTable: Tensor | undefined;
    for (let start = 0; start < count; start += chunks.rows) {
      const rows = Math.min(chunks.rows, count - start);
      // A chunk begins when the one before is done with: its logits can then be where those were.
      const before = dTable ?? grads.at(-1);
      const x = later(tf.slice(hidden, [start, 0], [rows, width]), before ? [before] : []);
      const label = tf.slice(labels, [start], [rows]);
      const weight = tf.reshape(tf.slice(weights, [start], [rows]), [-1, 1]);
      const { loss, dLogits } = chunkLoss(x, label, weight, table, words, options.softcap);
      losses.push(loss);
      grads.push(tf.mul(gemm(dLogits, table), weight));
      if (!trainsTable) continue;
      const dRows = grads[grads.length - 1];
      dTable = gemm(later(dLogits, [dRows]), tf.mul(x, weight), dTable, { transposeA: true });
    }
    const loss = losses.reduce((sum, loss) => tf.add(sum, loss));
    const dHidden = grads.length === 1 ? grads[0] : tf.concat(grads, 0);
    if (!dTable) return { value: loss, saved: [dHidden] };
    return { value: loss, saved: [later(dHidden, [dTable]), dTable] };
  };
  return customGradient(trainsTable ? [hidden, table] : [hidden], forward, (dy, gradients) =>
    gradients.map((gradient) => tf.mul(gradient, dy)),
  );
}

/** Σ weight · loss of tokens x [t,d], and the derivatives of their losses by the logits, [t,V]. */
function chunkLoss(
  x: Tensor,
  labels: Tensor,
  weights: Tensor,
  table: Tensor,
  words: Tensor | undefined,
  softcap: number | undefined,
): { loss: Tensor; dLogits: Tensor } {
  const { logits, slope } = logitsOf(x, table, words, softcap);
  const chosen = pick(logits, labels);
  const highest = tf.max(logits, 1);
  const probabilities = softmax(later(logits, [chosen, highest]));
  // log Σ exp(logit), of the most likely token's logit and probability: an exponential of all logits costs more than both.
  const total = tf.sub(highest, tf.log(tf.max(probabilities, 1)));
  const loss = tf.sum(tf.mul(tf.sub(total, chosen), tf.reshape(weights, [-1])));
  const off = minusOneHot(later(probabilities, [loss]), labels);
  return { loss, dLogits: slope ? tf.mul(off, slope) : off };
}

/** −log p(label | hidden) of each token [N], without gradients. Arguments are those of `vocabularyLoss`. */
export function tokenLosses(
  hidden: Tensor,
  table: Tensor,
  labels: Tensor,
  options: VocabularyLossOptions = {},
): Tensor {
  const count = hidden.shape[0];
  const chunks = chunksOf(count, table.shape[0], options.mostBytes);
  const words = wordMask(table.shape[0], options.words);
  const losses = ([x, label]: Tensor[]): Tensor => {
    const { logits } = logitsOf(x, table, words, options.softcap);
    const highest = tf.max(logits, 1);
    const total = tf.sub(highest, tf.log(tf.max(softmax(logits), 1)));
    return tf.sub(total, pick(logits, label));
  };
  if (chunks.count === 1) return losses([hidden, labels]);
  const { ys } = scan(
    (_, xs) => ({ carry: [], ys: [losses(xs)] }),
    [],
    [hidden, labels].map((x) => inChunks(x, chunks)),
  );
  return tf.slice(tf.reshape(ys[0], [-1]), [0], [count]);
}

function chunksOf(count: number, vocabulary: number, mostBytes = MOST_BYTES): Chunks {
  const most = Math.max(Math.floor(mostBytes / (4 * vocabulary)), Math.ceil(count / MOST_CHUNKS));
  const chunks = Math.ceil(count / most);
  return { rows: Math.ceil(count / chunks), count: chunks };
}

/** x [N,..] → [count,rows,..], filled up with zeros: labels of weight 0. */
function inChunks(x: Tensor, { rows, count }: Chunks): Tensor {
  const missing = rows * count - x.shape[0];
  const rest = x.shape.slice(1);
  const none = rest.map((): [number, number] => [0, 0]);
  const whole = missing === 0 ? x : tf.pad(x, [[0, missing], ...none]);
  return tf.reshape(whole, [count, rows, ...rest]);
}

/** [V] of 0 for words and what keeps padding out of the softmax; undefined where there is none. */
function wordMask(rows: number, words = rows): Tensor | undefined {
  if (words === rows) return undefined;
  return tf.concat([tf.zeros([words]), tf.fill([rows - words], NEVER)]);
}

/** x [t,d] → [t,V], and the derivative of the softcap. */
function logitsOf(
  x: Tensor,
  table: Tensor,
  words: Tensor | undefined,
  softcap: number | undefined,
): { logits: Tensor; slope?: Tensor } {
  if (!softcap) return { logits: gemm(x, table, words, { transposeB: true }) };
  const bent = tf.tanh(gemm(x, table, undefined, { transposeB: true, alpha: 1 / softcap }));
  const logits = tf.mul(bent, tf.scalar(softcap));
  return {
    logits: words ? tf.add(logits, words) : logits,
    slope: tf.sub(tf.scalar(1), tf.square(bent)),
  };
}

/** Over the last axis, in one operator: the formulas of tfjs take several tensors as large as x. */
function softmax(x: Tensor): Tensor {
  const outputs = [{ dtype: 'float32', shape: x.shape } as const];
  return nativeOp('Softmax', [x], outputs, { axis: -1 }, { twin: ([x]) => [tf.softmax(x as Tensor)] })[0];
}

/** x [t,V] at labels [t] → [t]. */
function pick(x: Tensor, labels: Tensor): Tensor {
  const column = tf.reshape(labels, [-1, 1]);
  const picked = { dtype: 'float32', shape: column.shape } as const;
  const twin: Twin = ([x, at]) => [tf.sum(tf.mul(x as Tensor, oneHot(at as Tensor, x!.shape[1]!)), 1, true)];
  return tf.reshape(nativeOp('GatherElements', [x, column], [picked], { axis: 1 }, { twin })[0], [-1]);
}

/** x [t,V] less 1 at labels [t]. */
function minusOneHot(x: Tensor, labels: Tensor): Tensor {
  const column = tf.reshape(labels, [-1, 1]);
  const attributes = { axis: 1, reduction: 'add' };
  const twin: Twin = ([x, at]) => [tf.sub(x as Tensor, oneHot(at as Tensor, x!.shape[1]!))];
  const inputs = [x, column, tf.fill(column.shape, -1)];
  return nativeOp('ScatterElements', inputs, [{ dtype: 'float32', shape: x.shape }], attributes, { twin })[0];
}

/** labels [t,1] → [t,classes]. */
function oneHot(labels: Tensor, classes: number): Tensor {
  const rows = tf.equal(labels, tf.reshape(tf.range(0, classes, 1, 'int32'), [1, classes]));
  return tf.cast(rows, 'float32');
}
