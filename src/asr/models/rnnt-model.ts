// Transducer models (Graves 2012): EncDecRNNTBPEModel (tokenizer) and EncDecRNNTModel (characters), which
// differ only in the section their vocabulary comes from.
import { type ConfigNode, hasTarget, type InferConfig, type SectionInput } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import { type Engine, type HostTensors, type Tensor, type Tensors, tf } from '../../engine/index.js';
import {
  buildModel,
  type HeatMap,
  type ModelContext,
  modelScope,
  type StepOutput,
  weightedOutput,
} from '../../model/index.js';
import type { RestoreOptions } from '../../nemo/index.js';
import { evaluationPass, type Pass, type WeightedLoss } from '../../nn/index.js';
import type { PredictionNetwork } from '../decoders/prediction-network.js';
import type { TransducerJoint } from '../decoders/transducer-joint.js';
import type { TransducerVariant } from '../decoders/transducer-variant.js';
import { type DecodingConfig, type DecodingSection, decodingSchema } from '../decoding/config.js';
import {
  type TransducerDecoding,
  transducerDecoding,
  transducerDecodingKind,
} from '../decoding/decoding-kinds.js';
import { alignLattice, type LatticeAlignment } from '../decoding/lattice-alignment.js';
import { transcriptFields } from '../decoding/shared-config.js';
import { greedyOptions } from '../decoding/transducer-search.js';
import { transducerVariant } from '../decoding/transducer-settings.js';
import type { Encoded } from '../encoders/encoder.js';
import {
  decoderJointSubnet,
  describeHead,
  joinerSubnet,
  predictionSubnet,
  type TransducerHead,
} from '../export/decoder-joint.js';
import type { ExportOptions } from '../export/export-onnx.js';
import type { Subnet } from '../export/subnets.js';
import { rnntLossConfig } from '../losses/config.js';
import { type TransducerLoss, transducerLossKind } from '../losses/loss-kinds.js';
import { RNNTLoss } from '../losses/rnnt.js';
import { variantArcs } from '../losses/variant-costs.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import type { InterCtcEvaluation } from '../recognition/inter-ctc-evaluation.js';
import type { Recognizer } from '../recognition/recognizer.js';
import { type RnntForward, RnntRecognizer } from '../recognition/rnnt-recognizer.js';
import { encoderPass, speechInputs } from '../recognition/speech-inputs.js';
import { type StreamHead, TransducerStreamHead } from '../streaming/stream-head.js';
import type { TranscriptOptions } from '../transcription/transcript.js';
import { withCosts } from './added-costs.js';
import { mustAgree, widthKey } from './agreement.js';
import { brickComponents } from './bricks.js';
import { jointKind, predictionKind } from './kinds.js';
import { archivesOf } from './model-component.js';
import type { ModelFamily } from './model-family.js';
import { type Example, latticePicture } from './report-pictures.js';
import { rnntFamily, rnntModelSchema } from './rnnt-family.js';
import { SpeechModel, type SubnetOptions } from './speech-model.js';

/** A `model` section of this family: a loaded one, or its keys. */
export type RnntModelSection = SectionInput<typeof rnntModelSchema>;
export type RnntModelConfig = InferConfig<typeof rnntModelSchema>;

/**
 * NeMo's EncDecRNNTBPEModel (Graves 2012): encoder, prediction network and joint over the pieces of a tokenizer and
 * blank. The variant (RNN-T, multi-blank, TDT) follows from the `loss` section.
 */
export class EncDecRNNTBPEModel extends SpeechModel<RnntModelConfig> {
  override readonly family: ModelFamily = rnntFamily;
  decoder: PredictionNetwork;
  joint: TransducerJoint;
  /** What the joint's outputs mean. */
  readonly variant: TransducerVariant;
  private strategy: TransducerDecoding;
  /** What the decoding section says beside which search it is. */
  protected decoding: DecodingConfig;
  private readonly criterion: TransducerLoss;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: RnntModelConfig, scope: Container) {
    super(node, settings, scope);
    const vocabulary = this.tokenizer.vocabSize;
    this.decoder = this.child(
      'decoder',
      this.build(settings.decoder, predictionKind, { vocab_size: vocabulary }),
    );
    mustAgree(node, 'joint.jointnet.encoder_hidden', widthKey(node), this.encoder.width);
    mustAgree(node, 'joint.jointnet.pred_hidden', 'decoder.prednet.pred_hidden', this.decoder.width);
    this.joint = this.child(
      'joint',
      this.build(settings.joint, jointKind, {
        num_classes: vocabulary,
        jointnet: { encoder_hidden: this.encoder.width, pred_hidden: this.decoder.width },
      }),
    );
    this.strategy = this.decodingOf(settings.decoding);
    this.decoding = this.strategy.settings ?? decodingSchema.parse({});
    this.criterion = this.transducerLossOf(settings);
    this.variant = transducerVariant(this.criterion.variant, this.decoding, this.joint.extraOutputs);
  }

  /**
   * A model from the `model` section of a config. `context` is a Trainer, or says where weights and log go.
   * @throws AnemoneError, AnemoneErrors with everything wrong in the section
   */
  static fromConfig(node: RnntModelSection, context: ModelContext = {}): EncDecRNNTBPEModel {
    return buildModel(
      context,
      brickComponents,
      (scope, options) => new this(node as ConfigNode, rnntModelSchema.parse(node, options), scope),
    );
  }

  /**
   * A model from a .nemo archive, with its weights in the context's engine. `restoreModel` finds the class itself.
   * @throws AnemoneError; see `restoreSpeechArchive`
   */
  static restoreFrom(
    path: string,
    context: ModelContext,
    options: RestoreOptions = {},
  ): Promise<EncDecRNNTBPEModel> {
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one makes its own models.
    const make = (node: ConfigNode, scope: Container) => this.fromConfig(node, scope);
    const scope = modelScope(context, brickComponents);
    return restoreSpeechArchive(path, make, scope, archivesOf(scope.components, rnntFamily), options);
  }

  protected override adopt(replacement: this): void {
    super.adopt(replacement);
    this.decoder = this.replaceChild('decoder', replacement.decoder);
    this.joint = this.replaceChild('joint', replacement.joint);
  }

  override trainingStep(inputs: Tensors, pass: Pass): StepOutput {
    return withCosts(pass, (pass) => this.step(this.forward(inputs, pass), inputs, pass));
  }

  /** Encoder and its projection. */
  forward(inputs: Tensors, pass: Pass): RnntForward {
    const { encoded, lengths } = this.encode(inputs, pass);
    return { encoded, projected: this.joint.projectEncoder(encoded, pass), lengths };
  }

  /** What inner layers of the encoder recognise, of models that have losses there. */
  protected innerEvaluation(): InterCtcEvaluation | undefined {
    return undefined;
  }

  /** What training minimises and validation reports, and the losses it is made of, for an output of `forward`. */
  protected step(forward: RnntForward, inputs: Tensors, pass: Pass): StepOutput {
    return weightedOutput(this.transducerLoss(forward, inputs, pass));
  }

  /** The encoder's output of a batch, [B,T',d] and lengths int32 [B]. */
  protected encode(inputs: Tensors, pass: Pass): Encoded {
    const { features, featureLengths } = speechInputs(inputs);
    return this.encoder.forward(features, featureLengths, encoderPass(inputs, pass));
  }

  /** Log-probabilities of the lattice's arcs, [B,U+1,T',P]: blank, next label, then what the variant adds. */
  picks(forward: RnntForward, inputs: Tensors, pass: Pass): Tensor {
    const { targets } = speechInputs(inputs);
    const prediction = this.joint.projectPrediction(this.decoder.forward(targets, pass), pass);
    const input = { encoder: forward.projected, prediction, targets };
    return this.joint.picks(input, pass, { variant: this.variant, clamp: this.criterion.clamp ?? -1 });
  }

  /** The transducer loss, a scalar. */
  loss(forward: RnntForward, inputs: Tensors, pass: Pass): Tensor {
    return this.transducerLoss(forward, inputs, pass).value;
  }

  /** The transducer loss of a batch, whatever the variant, weighed by the section's reduction. */
  protected transducerLoss(forward: RnntForward, inputs: Tensors, pass: Pass): WeightedLoss {
    const { targets, targetLengths: tokens } = speechInputs(inputs);
    const picks = this.picks(forward, inputs, pass);
    const { variant } = this;
    return this.criterion.forward({ picks, frames: forward.lengths, tokens, targets, variant }, pass);
  }

  private decodingOf(section: DecodingConfig | ConfigNode | null): TransducerDecoding {
    if (hasTarget(section)) return this.build(section, transducerDecodingKind);
    return transducerDecoding((section as DecodingConfig | null) ?? decodingSchema.parse({}));
  }

  private transducerLossOf({ loss, rnnt_reduction: reduction }: RnntModelConfig): TransducerLoss {
    if (hasTarget(loss)) return this.build(loss, transducerLossKind, {}, { reduction });
    return new RNNTLoss(rnntLossConfig(loss), reduction);
  }

  /**
   * Where the model places the tokens of one utterance (`inputs` as in `Batch.inputs`, batch size 1).
   */
  async align(engine: Engine, inputs: HostTensors): Promise<LatticeAlignment> {
    const program = engine.compile('lattice', (tensors) => {
      const forward = this.forward(tensors, evaluationPass);
      return { picks: this.picks(forward, tensors, evaluationPass), lengths: tf.clone(forward.lengths) };
    });
    try {
      const { picks, lengths } = await program.run(inputs);
      const [, rows, frames, perPoint] = picks.shape;
      return alignLattice({
        picks: picks.data as Float32Array,
        shape: [rows, frames, perPoint],
        validFrames: lengths.data[0],
        tokens: inputs['targetLengths'].data[0],
        arcs: variantArcs(this.variant),
      });
    } finally {
      program.dispose();
    }
  }

  /** The alignment of one example with its text, for the report. */
  protected override async picturesOf(example: Example, engine: Engine): Promise<readonly HeatMap[]> {
    const alignment = await this.align(engine, example.inputs);
    const { targets, targetLengths } = example.inputs;
    const ids = Array.from(targets.data.slice(0, targetLengths.data[0]));
    return [latticePicture(example, alignment, this.tokenizer.idsToTokens(ids))];
  }

  /**
   * Decodes differently from now on, as NeMo's change_decoding_strategy: `decoding` is a section like
   * `model.decoding`, whose durations need not be repeated.
   * @throws AnemoneError, AnemoneErrors
   */
  override changeDecoding(decoding: DecodingSection): void {
    this.strategy = hasTarget(decoding)
      ? this.decodingOf(decoding)
      : transducerDecoding(decodingSchema.parse(decoding, { path: 'model.decoding' }));
    this.decoding = this.strategy.settings ?? decodingSchema.parse({});
    this.decodingGiven();
  }

  protected override transcriptOptions(): TranscriptOptions {
    const kind = this.variant.kind === 'tdt' ? 'tdt' : 'rnnt';
    return { kind, ...transcriptFields(this.decoding, this.decoding.rnnt_timestamp_type) };
  }

  protected override subnets(options: SubnetOptions): readonly Subnet[] {
    const encoder = this.encoderFile(options);
    if (options.for !== 'sherpa') return [encoder, decoderJointSubnet(this)];
    return [encoder, predictionSubnet(this.decoder), joinerSubnet(this)];
  }

  protected override exportedHead(_options: ExportOptions): TransducerHead | undefined {
    return this;
  }

  protected override exportMetadata(_options: ExportOptions): Record<string, string> {
    return describeHead(this);
  }

  protected override streamHead(engine: Engine): StreamHead {
    const { decoder, joint, variant } = this;
    const network = { decoder, joint, variant };
    const options = greedyOptions(network, this.decoding, this.tokenizer, this.decodingFiles);
    return new TransducerStreamHead(engine, network, options);
  }

  protected override createRecognizer(engine: Engine): Recognizer {
    const { decoder, joint, variant, tokenizer } = this;
    const network = { decoder, joint, variant };
    const search = this.strategy.search({ engine, network, tokenizer, readFile: this.decodingFiles });
    return new RnntRecognizer(engine, {
      search,
      forward: (inputs) => this.forward(inputs, evaluationPass),
      loss: (forward, inputs) => this.step(forward, inputs, evaluationPass),
      inner: this.innerEvaluation(),
    });
  }
}

/** The same with characters: the vocabulary is `labels`. */
export class EncDecRNNTModel extends EncDecRNNTBPEModel {}
