// The prediction network of a transducer, NeMo's RNNTDecoder: embedding and LSTM over the target tokens.
import { AdapterSlot } from '../../adapters/index.js';
import { type Tensor, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  dropout,
  Embedding,
  evaluationPass,
  type Initializer,
  LayerCheckpoints,
  Lstm,
  type LstmBiasInit,
  type Module,
  type Pass,
  type StackLayer,
  uniform,
} from '../../nn/index.js';
import { type ResolvedPrednet, type RNNTDecoderConfig, rnntDecoderSchema } from './config.js';
import { PredictionNetwork } from './prediction-network.js';

/** The prediction network of a transducer, NeMo's RNNTDecoder: embedding and LSTM over the target tokens. */
export class RNNTDecoder extends PredictionNetwork {
  override readonly width: number;
  override readonly vocabulary: number;
  /** Outputs and cells of all layers. */
  override readonly stateSize: number;
  readonly layers: number;
  /** Cells of a layer. */
  readonly cells: number;
  readonly checkpoints: LayerCheckpoints;
  private readonly embed: Embedding;
  private readonly lstm: Lstm;
  private readonly dropout: number;
  private readonly adapters: AdapterSlot;

  constructor(config: RNNTDecoderConfig) {
    super();
    const { prednet, vocab_size: vocabulary, blank_as_pad: padded } = rnntDecoderSchema.withDefaults(config);
    this.width = prednet.pred_hidden;
    this.layers = prednet.pred_rnn_layers;
    this.vocabulary = vocabulary;
    this.cells = cellsOf(prednet);
    this.stateSize = this.layers * (this.width + this.cells);
    this.dropout = prednet.dropout;
    this.embed = this.child(
      'prediction.embed',
      new Embedding(padded ? vocabulary + 1 : vocabulary, this.width, {
        paddingIndex: padded ? vocabulary : undefined,
      }),
    );
    const { weights_init_scale: scale } = prednet;
    this.lstm = this.child(
      'prediction.dec_rnn.lstm',
      new Lstm({
        inputSize: this.width,
        hiddenSize: this.cells,
        ...(this.cells > this.width && { projectionSize: this.width }),
        layers: this.layers,
        dropout: this.dropout,
        weightInit: uniform(scale / Math.sqrt(this.cells)),
        biasInit: biasInit(prednet, scale),
      }),
    );
    const stack = Array.from({ length: this.layers }, () => this.lstm);
    this.checkpoints = new LayerCheckpoints(prednet, stack, 'decoder.prednet');
    this.adapters = this.child('adapter_layer', new AdapterSlot({ width: this.width }));
  }

  override get vocabularyLayers(): readonly Module[] {
    return [this.embed];
  }

  override initialState(): Float32Array {
    return new Float32Array(this.stateSize);
  }

  /** targets int32 [B,U] → [B,U+1,H]; a zero vector goes in before the first token. */
  override forward(targets: Tensor, pass: Pass): Tensor {
    const [batch] = targets.shape;
    const tokens = this.embed.forward(tf.transpose(targets));
    const input = tf.concat([tf.zeros([1, batch, this.width]), tokens], 0);
    const layer: StackLayer = ([below], k, pass) => [this.lstm.layer(k, below, pass)];
    const [top] = this.checkpoints.through([input], () => ({ layer, pass }));
    const output = dropout(top, this.dropout, pass);
    return pass.tap(this.path, this.adapters.forward(tf.transpose(output, [1, 0, 2]), pass));
  }

  override step(last: Tensor, state: Tensor): { output: Tensor; state: Tensor } {
    const isToken = tf.cast(tf.less(last, tf.scalar(this.vocabulary, 'int32')), 'float32');
    const knownTokens = tf.minimum(last, tf.scalar(this.embed.count - 1, 'int32'));
    const input = tf.mul(this.embed.forward(knownTokens), tf.reshape(isToken, [-1, 1]));
    const parts = this.split(state);
    const states = Array.from({ length: this.layers }, (_, k) => ({ h: parts[2 * k], c: parts[2 * k + 1] }));
    const next = this.lstm.step(input, states);
    return {
      output: this.adapters.forward(next[next.length - 1].h, evaluationPass),
      state: tf.concat(next.flatMap(({ h, c }) => [h, c]), 1), // biome-ignore format: one line reads better
    };
  }

  /** state [B,S] → outputs [B,H] and cells [B,C] of each layer in turn. */
  split(state: Tensor): Tensor[] {
    const sizes = Array.from({ length: this.layers }, () => [this.width, this.cells]).flat();
    return tf.split(state, sizes, 1);
  }
}

/** @throws AnemoneError `decoder.size`: outputs can be projected to fewer only */
function cellsOf({ pred_hidden: width, rnn_hidden_size: cells }: ResolvedPrednet): number {
  if (cells <= 0) return width;
  if (cells >= width) return cells;
  throw new AnemoneError({
    code: 'decoder.size',
    path: 'decoder.prednet.rnn_hidden_size',
    message: `${cells} cells cannot give the ${width} outputs of pred_hidden`,
    hint: 'make it larger, or -1',
  });
}

/** Forget gates start open: 1 in one bias and 0 in the other, or by the chrono rule in both. */
function biasInit(prednet: ResolvedPrednet, scale: number): LstmBiasInit {
  const width = cellsOf(prednet);
  const usual = uniform(1 / Math.sqrt(width));
  const { t_max: longest } = prednet;
  if (longest) {
    const chrono: Initializer = (shape, random) => {
      const bias = new Float32Array(shape[0]);
      for (let i = 0; i < width; i++) {
        const forget = Math.log(1 + random.uniform(i) * (longest - 2));
        bias[width + i] = scale * forget;
        bias[i] = -scale * forget;
      }
      return bias;
    };
    return { input: chrono, hidden: chrono };
  }
  const { forget_gate_bias: forget } = prednet;
  const { hidden_hidden_bias_scale: hiddenScale } = prednet;
  const withForget =
    (change: (value: number) => number): Initializer =>
    (shape, random) => {
      const bias = usual(shape, random);
      if (forget !== null) for (let i = width; i < 2 * width; i++) bias[i] = change(bias[i]);
      return bias.map((value) => value * scale);
    };
  return { input: withForget(() => forget ?? 0), hidden: withForget((value) => value * hiddenScale) };
}
