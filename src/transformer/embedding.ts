// Token and position embeddings of NeMo's Transformer decoder.
import { type Tensor, tf } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import {
  type Buffer,
  dropout,
  Embedding,
  LayerNorm,
  Module,
  normal,
  type Parameter,
  type Pass,
  xavierUniform,
} from '../nn/index.js';

export interface EmbeddingSizes {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly max_sequence_length: number;
  readonly num_token_types: number;
  readonly embedding_dropout: number;
  readonly learn_positional_encodings: boolean;
}

/** A table that is looked up elsewhere, or by position. */
class Table extends Module {
  readonly weight: Parameter;

  constructor(rows: number, width: number) {
    super();
    this.weight = this.parameter('weight', [rows, width], normal(1 / Math.sqrt(width)));
  }
}

/** Sine and cosine, divided by √width: buffer `pos_enc` [max_sequence_length, width]. */
class FixedPositions extends Module {
  readonly table: Buffer;

  constructor(rows: number, width: number) {
    super();
    this.table = this.buffer('pos_enc', [rows, width], () => positions(rows, width));
  }
}

export class TransformerEmbedding extends Module {
  readonly tokens: Embedding;
  private readonly fixed: FixedPositions | undefined;
  private readonly learned: Table | undefined;
  private readonly norm: LayerNorm;

  constructor(private readonly sizes: EmbeddingSizes) {
    super();
    const { vocab_size: count, hidden_size: width, max_sequence_length: rows } = sizes;
    // The classifier shares this table and, in NeMo, is initialised last: as a linear layer.
    const weightInit = xavierUniform(width, count);
    this.tokens = this.child('token_embedding', new Embedding(count, width, { paddingIndex: 0, weightInit }));
    if (sizes.learn_positional_encodings) {
      this.learned = this.child('position_embedding', new Table(rows, width));
    } else this.fixed = this.child('position_embedding', new FixedPositions(rows, width));
    if (sizes.num_token_types > 0) {
      const types = this.child('token_type_embedding', new Table(sizes.num_token_types, width));
      // The table exists because NeMo's checkpoints have it: speech has one type of token, and NeMo then leaves it out
      // of the sum.
      types.weight.trainable = false;
    }
    this.norm = this.child('layer_norm', new LayerNorm(width));
  }

  /** ids int32 [B,U] from position 0 on → [B,U,d]. @throws AnemoneError `asr.too-many-tokens` */
  forward(ids: Tensor, pass: Pass): Tensor {
    const [, length] = ids.shape;
    const { max_sequence_length: maxLength, hidden_size: width } = this.sizes;
    if (length > maxLength) {
      throw new AnemoneError({
        code: 'asr.too-many-tokens',
        path: 'model.transf_decoder.config_dict.max_sequence_length',
        message: `a transcript with its prompt has ${length} tokens; the decoder has positions for ${maxLength}`,
        hint: 'leave out such utterances (max_tps, max_duration), or raise max_sequence_length',
      });
    }
    return this.embed(ids, tf.slice(this.positionTable(), [0, 0], [length, width]), pass);
  }

  /** ids int32 [B,U] that come after `past` others → [B,U,d]. */
  after(ids: Tensor, past: number, pass: Pass): Tensor {
    const at = tf.add(tf.range(0, ids.shape[1]!, 1, 'int32'), tf.scalar(past, 'int32'));
    return this.embed(ids, tf.gather(this.positionTable(), at as tf.Tensor1D), pass);
  }

  /** ids and positions int32 [N], one token a row → [N,1,d]. */
  step(ids: Tensor, at: Tensor, pass: Pass): Tensor {
    const rows = tf.gather(this.positionTable(), at as tf.Tensor1D);
    return tf.expandDims(this.embed(ids, rows, pass), 1);
  }

  private embed(ids: Tensor, places: Tensor, pass: Pass): Tensor {
    const sum = tf.add(this.tokens.forward(ids), places);
    return pass.tap(this.path, dropout(this.norm.forward(sum), this.sizes.embedding_dropout, pass));
  }

  private positionTable(): Tensor {
    return (this.learned?.weight ?? (this.fixed as FixedPositions).table).tensor();
  }
}

function positions(rows: number, width: number): Float32Array {
  const table = new Float32Array(rows * width);
  for (let i = 0; i < width; i += 2) {
    const rate = Math.exp((-Math.log(10000) * i) / width);
    for (let row = 0; row < rows; row++) {
      const angle = row * Math.fround(rate);
      table[row * width + i] = Math.sin(angle) / Math.sqrt(width);
      if (i + 1 < width) table[row * width + i + 1] = Math.cos(angle) / Math.sqrt(width);
    }
  }
  return table;
}
