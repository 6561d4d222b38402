// Transducer models (Graves 2012): EncDecRNNTBPEModel (tokenizer) and EncDecRNNTModel (characters), which
// differ only in the section their vocabulary comes from.
import { type ConfigNode, componentConfig, defineSchema, type InferConfig } from '../../config/index.js';
import { type Engine, type HostTensors, type Tensor, type Tensors, tf } from '../../engine/index.js';
import { evaluationPass, type HeatMap, type Pass, type StepOutput } from '../../nn/index.js';
import type { RNNTDecoder } from '../decoders/rnnt-decoder.js';
import type { RNNTJoint } from '../decoders/rnnt-joint.js';
import { decodingSchema } from '../decoding/config.js';
import { alignLattice, type LatticeAlignment } from '../decoding/lattice-alignment.js';
import type { Encoded } from '../encoders/encoder.js';
import { jointKind, predictionKind } from '../kinds.js';
import { rnntLossSchema, rnntLossSettings } from '../losses/config.js';
import { type LossReduction, reduceCosts } from '../losses/reduction.js';
import { transducerCosts } from '../losses/transducer-lattice.js';
import { type RestoreOptions, restoreArchive } from '../nemo/restore.js';
import { buildModel, type ModelContext } from './context.js';
import { commonFields, commonIgnored } from './model-schema.js';
import { type Example, latticePicture } from './report-pictures.js';
import { RnntRecognizer } from './rnnt-recognizer.js';
import { type Recognizer, SpeechModel, speechInputs } from './speech-model.js';

export const rnntFields = {
  ...commonFields,
  decoder: { doc: 'Prediction network.', format: componentConfig('decoder') },
  joint: { doc: 'Joint network.', format: componentConfig('joint') },
  decoding: { doc: 'How hypotheses are found.', format: decodingSchema, nullable: true, default: null },
  loss: { doc: 'Transducer loss.', format: rnntLossSchema, nullable: true, default: null },
  rnnt_reduction: {
    doc: 'From costs of utterances to the loss.',
    format: ['mean_batch', 'mean', 'mean_volume', 'sum'],
    default: 'mean_batch',
  },
} as const;

export const rnntModelSchema = defineSchema('EncDecRNNTBPEModel', rnntFields, {
  doc: 'A transducer: encoder, prediction network, joint.',
  ignored: commonIgnored,
});

export type RnntModelConfig = InferConfig<typeof rnntModelSchema>;

/** What the joint's output needs: the encoder's projection, its lengths, and the loss if targets are given. */
export interface RnntForward {
  /** [B,T',J] */
  readonly projected: Tensor;
  /** [B,T',d] */
  readonly encoded: Tensor;
  readonly lengths: Tensor;
}

export class EncDecRNNTBPEModel extends SpeechModel<RnntModelConfig> {
  readonly decoder: RNNTDecoder;
  readonly joint: RNNTJoint;
  private readonly reduction: LossReduction;
  private readonly lossSettings: ReturnType<typeof rnntLossSettings>;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: RnntModelConfig, context: ModelContext) {
    super(node, settings, context);
    const vocabulary = this.tokenizer.vocabSize;
    this.decoder = this.child(
      'decoder',
      this.build(settings.decoder, predictionKind, { vocab_size: vocabulary }),
    );
    this.joint = this.child(
      'joint',
      this.build(settings.joint, jointKind, {
        num_classes: vocabulary,
        jointnet: { encoder_hidden: this.encoder.width, pred_hidden: this.decoder.width },
      }),
    );
    this.reduction = settings.rnnt_reduction;
    this.lossSettings = rnntLossSettings(settings.loss);
  }

  /**
   * A model from the `model` section of a config. `context` is a Trainer, or says where weights and log go.
   * @throws AnemoneError, AnemoneErrors with everything wrong in the section
   */
  static fromConfig(node: ConfigNode, context: ModelContext = {}): EncDecRNNTBPEModel {
    return buildModel(
      context,
      (own, options) => new EncDecRNNTBPEModel(node, rnntModelSchema.parse(node, options), own),
    );
  }

  /**
   * A model from a .nemo archive, with its weights in the context's engine. `restoreModel` finds the class itself.
   * @throws AnemoneError; see `restoreArchive`
   */
  static restoreFrom(
    path: string,
    context: ModelContext,
    options: RestoreOptions = {},
  ): Promise<EncDecRNNTBPEModel> {
    return restoreArchive(path, (node, own) => EncDecRNNTBPEModel.fromConfig(node, own), context, options);
  }

  override trainingStep(inputs: Tensors, pass: Pass): StepOutput {
    const forward = this.forward(inputs, pass);
    return { loss: this.loss(forward, inputs, pass) };
  }

  /** Encoder and its projection. */
  forward(inputs: Tensors, pass: Pass): RnntForward {
    const { encoded, lengths } = this.encode(inputs, pass);
    return { encoded, projected: this.joint.projectEncoder(encoded, pass), lengths };
  }

  protected encode(inputs: Tensors, pass: Pass): Encoded {
    const { features, featureLengths } = speechInputs(inputs);
    return this.encoder.forward(features, featureLengths, pass);
  }

  /** Log-probabilities of the lattice's arcs, [B,U+1,T',2]. */
  picks(forward: RnntForward, inputs: Tensors, pass: Pass): Tensor {
    const { targets } = speechInputs(inputs);
    const prediction = this.joint.projectPrediction(this.decoder.forward(targets, pass), pass);
    const input = { encoder: forward.projected, prediction, targets };
    return this.joint.picks(input, pass, this.lossSettings.clamp);
  }

  /** Scalar loss. */
  loss(forward: RnntForward, inputs: Tensors, pass: Pass): Tensor {
    const { targetLengths } = speechInputs(inputs);
    const picks = this.picks(forward, inputs, pass);
    const costs = transducerCosts(
      { picks, frames: forward.lengths, tokens: targetLengths },
      this.lossSettings,
    );
    return reduceCosts(costs, targetLengths, this.reduction);
  }

  /** Where the model places the tokens of one utterance (`inputs` as in `Batch.inputs`, batch size 1). */
  async align(engine: Engine, inputs: HostTensors): Promise<LatticeAlignment> {
    const program = engine.compile('lattice', (tensors) => {
      const forward = this.forward(tensors, evaluationPass);
      return { picks: this.picks(forward, tensors, evaluationPass), lengths: tf.clone(forward.lengths) };
    });
    try {
      const { picks, lengths } = await program.run(inputs);
      const [, rows, frames] = picks.shape;
      return alignLattice({
        picks: picks.data as Float32Array,
        offset: 0,
        frames,
        rows,
        validFrames: lengths.data[0],
        tokens: inputs['targetLengths'].data[0],
      });
    } finally {
      program.dispose();
    }
  }

  protected override async picturesOf(example: Example, engine: Engine): Promise<readonly HeatMap[]> {
    const alignment = await this.align(engine, example.inputs);
    const { targets, targetLengths } = example.inputs;
    const ids = Array.from(targets.data.slice(0, targetLengths.data[0]));
    return [latticePicture(example, alignment, this.tokenizer.idsToTokens(ids))];
  }

  protected override createRecognizer(engine: Engine): Recognizer {
    const greedy = this.settings.decoding?.greedy;
    return new RnntRecognizer(engine, this, {
      maxSymbols: greedy ? greedy.max_symbols : 10,
      window: greedy?.window,
    });
  }
}

/** The same with characters: the vocabulary is `labels`. */
export class EncDecRNNTModel extends EncDecRNNTBPEModel {}
