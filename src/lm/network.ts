// The network of a language model: token and position embeddings, a causal decoder, and the head that is the embedding's table
// or one of its own.
import { type Tensor, type Tensors, tf } from '../engine/index.js';
import {
  type CheckpointConfig,
  dropout,
  Embedding,
  Module,
  normal,
  type Parameter,
  type Pass,
  productWithStandIn,
  tokenLosses,
  type VocabularyLossOptions,
  vocabularyLoss,
} from '../nn/index.js';
import {
  CausalDecoder,
  coreNames,
  type DecoderCache,
  type DecoderNames,
  type DecoderOptions,
  legacyNames,
  type SequenceContext,
} from '../transformer/index.js';

/** What a network is made of beside its decoder. */
export interface NetworkOptions extends DecoderOptions {
  /** V: tokens. */
  readonly vocabulary: number;
  /** Rows of the table; those after `vocabulary` are padding. Default: as many as there are tokens. */
  readonly rows?: number;
  /** Whether positions are learned, as in GPT-2. */
  readonly learnsPositions: boolean;
  /** Whether the head is the embedding's table (Press and Wolf 2017). */
  readonly tiesHead: boolean;
  /** Factor of the embeddings (Gemma: √d). Default 1. */
  readonly embeddingScale?: number | undefined;
  /** Logits are softcap · tanh(logit / softcap). Default: as they are. */
  readonly logitSoftcap?: number | undefined;
}

/** Names of a whole network's parts. */
interface NetworkNames {
  readonly words: string;
  readonly positions: string;
  readonly decoder: string;
  readonly head: string;
  readonly inside: DecoderNames;
}

/** By NeMo's versions: before Megatron core, and with it. */
const networkNames = {
  legacy: {
    words: 'language_model.embedding.word_embeddings',
    positions: 'language_model.embedding.position_embeddings',
    decoder: 'language_model.encoder',
    head: 'language_model.output_layer',
    inside: legacyNames,
  },
  core: {
    words: 'embedding.word_embeddings',
    positions: 'embedding.position_embeddings',
    decoder: 'decoder',
    head: 'output_layer',
    inside: coreNames,
  },
} as const satisfies Record<string, NetworkNames>;

/** How weights are named in files: as legacy Megatron's or as Megatron core's. */
export type NamingScheme = keyof typeof networkNames;

/** Tokens and what is known of their places; see `SequenceContext`. */
export interface TokenInputs extends Omit<SequenceContext, 'rotary'> {
  /** int32 [B,T] */
  readonly tokens: Tensor;
}

class Head extends Module {
  readonly weight: Parameter;

  constructor(rows: number, width: number, std: number) {
    super();
    this.weight = this.parameter('weight', [rows, width], normal(std));
    this.weight.isTable = true;
  }
}

/** Tokens to logits: embeddings, positions, decoder and head. tokens int32 [B,T] → logits [B,T,V]. */
export class LanguageNetwork extends Module {
  readonly decoder: CausalDecoder;
  private readonly words: Embedding;
  private readonly places: Embedding | undefined;
  private readonly head: Head | undefined;

  constructor(
    readonly options: NetworkOptions,
    readonly naming: NamingScheme = 'legacy',
    checkpointing: CheckpointConfig = {},
  ) {
    super();
    const { width, initStd, vocabulary, rows = vocabulary, positions } = options;
    const names: NetworkNames = networkNames[naming];
    const weightInit = normal(initStd);
    this.words = this.child(names.words, new Embedding(rows, width, { weightInit }));
    if (options.learnsPositions)
      this.places = this.child(names.positions, new Embedding(positions, width, { weightInit }));
    this.decoder = this.child(names.decoder, new CausalDecoder(options, names.inside, checkpointing));
    if (!options.tiesHead) this.head = this.child(names.head, new Head(rows, width, initStd));
  }

  /** Rows of the head's table, padding included. */
  get table(): Parameter {
    return this.head?.weight ?? this.words.weight;
  }

  /** What hidden states are multiplied by: the maps of the layers, and the head. */
  matrices(): readonly Parameter[] {
    return [...[...this.decoder.parameters()].filter(({ shape }) => shape.length === 2), this.table];
  }

  /** Hidden states of the last layer, [B,T,d]. */
  hidden({ tokens, positions, documents }: TokenInputs, pass: Pass): Tensor {
    const x = this.embed(tokens, positions, pass);
    return this.decoder.forward(x, { positions, documents }, pass);
  }

  /** Logits of all rows of the table, [B,T,rows]. */
  logits(inputs: TokenInputs, pass: Pass): Tensor {
    return this.logitsOf(this.hidden(inputs, pass));
  }

  /** Σ weight · loss over the tokens. labels int32 [B,T], weights [B,T] → scalar. */
  loss(inputs: TokenInputs, labels: Tensor, weights: Tensor, pass: Pass): Tensor {
    const { hidden, flatLabels } = this.flat(inputs, labels, pass);
    return vocabularyLoss(hidden, this.table.tensor(), flatLabels, tf.reshape(weights, [-1]), {
      ...this.lossOptions,
      trainsTable: this.table.trainable,
    });
  }

  /** The loss of each token, [B,T]. */
  tokenLosses(inputs: TokenInputs, labels: Tensor, pass: Pass): Tensor {
    const { hidden, flatLabels } = this.flat(inputs, labels, pass);
    return tf.reshape(tokenLosses(hidden, this.table.tensor(), flatLabels, this.lossOptions), labels.shape);
  }

  /**
   * New tokens after those in the cache. tokens and positions int32 [B,S], `last` int32 [B]: of each row the one
   * whose logits are wanted → `logits` [B,V] and the cache.
   */
  extend(tokens: Tensor, positions: Tensor, last: Tensor, cache: DecoderCache, pass: Pass): Tensors {
    const x = this.embed(tokens, positions, pass);
    const { hidden, ...memory } = this.decoder.extend(x, positions, cache, pass);
    const [batch, steps, width] = hidden.shape as [number, number, number];
    const rows = tf.add(tf.mul(tf.range(0, batch, 1, 'int32'), tf.scalar(steps, 'int32')), last);
    const chosen =
      steps === 1
        ? tf.reshape(hidden, [batch, width])
        : tf.gather(tf.reshape(hidden, [-1, width]), rows as tf.Tensor1D);
    const logits = this.logitsOf(chosen);
    const shown = tf.slice(logits, [0, 0], [batch, this.options.vocabulary]);
    return { ...memory, logits: shown };
  }

  private logitsOf(hidden: Tensor): Tensor {
    const { logitSoftcap: softcap, width } = this.options;
    const flat = tf.reshape(hidden, [-1, width]) as tf.Tensor2D;
    const product =
      productWithStandIn(flat, this.table) ??
      tf.matMul(flat, this.table.tensor() as tf.Tensor2D, false, true);
    const logits = softcap
      ? tf.mul(tf.tanh(tf.div(product, tf.scalar(softcap))), tf.scalar(softcap))
      : product;
    return tf.reshape(logits, [...hidden.shape.slice(0, -1), this.table.shape[0]]);
  }

  private embed(tokens: Tensor, positions: Tensor | undefined, pass: Pass): Tensor {
    const { embeddingScale: scale, hiddenDropout = 0 } = this.options;
    const words = this.words.forward(tokens);
    const scaled = scale === undefined ? words : tf.mul(words, tf.scalar(scale));
    const placed = this.places ? tf.add(scaled, this.placesOf(this.places, tokens, positions)) : scaled;
    return dropout(placed, hiddenDropout, pass);
  }

  private placesOf(table: Embedding, tokens: Tensor, positions: Tensor | undefined): Tensor {
    const [, length] = tokens.shape as [number, number];
    if (positions) return table.forward(positions);
    return tf.slice(table.weight.tensor(), [0, 0], [length, this.options.width]);
  }

  private flat(inputs: TokenInputs, labels: Tensor, pass: Pass): { hidden: Tensor; flatLabels: Tensor } {
    const hidden = tf.reshape(this.hidden(inputs, pass), [-1, this.options.width]);
    return { hidden, flatLabels: tf.reshape(labels, [-1]) };
  }

  private get lossOptions(): VocabularyLossOptions {
    const { vocabulary, logitSoftcap } = this.options;
    return { words: vocabulary, softcap: logitSoftcap };
  }
}
