// CTC models (Graves et al. 2006): encoder and a frame classifier. EncDecCTCModelBPE (tokenizer) and
// EncDecCTCModel (characters) differ only in the section their vocabulary comes from.
import type { ConfigNode, InferConfig, SectionInput } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import type { Engine, Tensors } from '../../engine/index.js';
import {
  buildModel,
  type ModelContext,
  modelScope,
  type StepOutput,
  weightedOutput,
} from '../../model/index.js';
import type { RestoreOptions } from '../../nemo/index.js';
import { evaluationPass, type Pass } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import {
  type CtcDecodingConfig,
  type CtcDecodingSection,
  ctcDecodingSchema,
} from '../decoding/ctc-config.js';
import { type CtcSearchContext, greedyCtcFusion } from '../decoding/ctc-search.js';
import type { FrameDecoding } from '../decoding/decoding-kinds.js';
import { transcriptFields } from '../decoding/shared-config.js';
import type { Encoded } from '../encoders/encoder.js';
import { ctcOutput, type Subnet } from '../export/subnets.js';
import type { FrameLoss } from '../losses/loss-kinds.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import { frameLossOf } from '../recognition/ctc-head.js';
import { CtcRecognizer } from '../recognition/ctc-recognizer.js';
import { InterCtc } from '../recognition/inter-ctc.js';
import { InterCtcEvaluation } from '../recognition/inter-ctc-evaluation.js';
import type { Recognizer } from '../recognition/recognizer.js';
import { speechInputs } from '../recognition/speech-inputs.js';
import { CtcStreamHead, type StreamHead } from '../streaming/stream-head.js';
import type { TranscriptOptions } from '../transcription/transcript.js';
import { withCosts } from './added-costs.js';
import { checkFrameDecoder } from './agreement.js';
import { brickComponents } from './bricks.js';
import { ctcFamily, ctcModelSchema } from './ctc-family.js';
import { frameDecoderKind } from './kinds.js';
import { archivesOf } from './model-component.js';
import type { ModelFamily } from './model-family.js';
import { SpeechModel, type SubnetOptions } from './speech-model.js';

/** A `model` section of this family: a loaded one, or its keys. */
export type CtcModelSection = SectionInput<typeof ctcModelSchema>;
export type CtcModelConfig = InferConfig<typeof ctcModelSchema>;

/**
 * NeMo's EncDecCTCModelBPE (Graves et al. 2006): an encoder and a frame classifier over the pieces of a tokenizer
 * and blank.
 */
export class EncDecCTCModelBPE extends SpeechModel<CtcModelConfig> {
  override readonly family: ModelFamily = ctcFamily;
  decoder: ConvASRDecoder;
  private strategy: FrameDecoding;
  private interCtc: InterCtc;
  private readonly criterion: FrameLoss;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: CtcModelConfig, scope: Container) {
    super(node, settings, scope);
    checkFrameDecoder(node, 'decoder', this.encoder.width, this.tokenizer.vocabSize);
    this.decoder = this.child(
      'decoder',
      this.build(settings.decoder, frameDecoderKind, {
        num_classes: this.tokenizer.vocabSize,
        feat_in: this.encoder.width,
      }),
    );
    this.strategy = this.frameDecodingOf(settings.decoding);
    this.interCtc = new InterCtc(settings.interctc, this.encoder, this.decoder);
    this.criterion = this.frameLoss(settings);
  }

  /** A model from the `model` section of a config; see `EncDecRNNTBPEModel.fromConfig`. */
  static fromConfig(node: CtcModelSection, context: ModelContext = {}): EncDecCTCModelBPE {
    return buildModel(
      context,
      brickComponents,
      (scope, options) => new this(node as ConfigNode, ctcModelSchema.parse(node, options), scope),
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
  ): Promise<EncDecCTCModelBPE> {
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one makes its own models.
    const make = (node: ConfigNode, scope: Container) => this.fromConfig(node, scope);
    const scope = modelScope(context, brickComponents);
    return restoreSpeechArchive(path, make, scope, archivesOf(scope.components, ctcFamily), options);
  }

  protected override adopt(replacement: this): void {
    super.adopt(replacement);
    this.decoder = this.replaceChild('decoder', replacement.decoder);
    this.interCtc = new InterCtc(this.settings.interctc, this.encoder, this.decoder);
  }

  override trainingStep(inputs: Tensors, pass: Pass): StepOutput {
    return withCosts(pass, (pass) => this.loss(this.interCtc.encode(inputs, pass), inputs, pass));
  }

  /** Decodes differently from now on: `decoding` is a section like `model.decoding`. @throws AnemoneError(s) */
  override changeDecoding(decoding: CtcDecodingSection): void {
    this.strategy = this.givenFrameDecoding(decoding, 'model.decoding');
    this.decodingGiven();
  }

  protected override transcriptOptions(): TranscriptOptions {
    return { kind: 'ctc', ...transcriptFields(this.decoding, this.decoding.ctc_timestamp_type) };
  }

  protected override subnets(options: SubnetOptions): readonly Subnet[] {
    return [this.encoderFile(options, ctcOutput(this.decoder))];
  }

  protected override streamHead(): StreamHead {
    return new CtcStreamHead(this.decoder, greedyCtcFusion(this.decoding, this.searchContext));
  }

  /** What the decoding section says beside which search it is. */
  private get decoding(): CtcDecodingConfig {
    return this.strategy.settings ?? ctcDecodingSchema.parse({});
  }

  private get searchContext(): CtcSearchContext {
    const { decoder, tokenizer, decodingFiles: readFile } = this;
    return { blank: decoder.blank, tokenizer, readFile, path: 'model.decoding' };
  }

  protected override createRecognizer(engine: Engine): Recognizer {
    const { decoder, interCtc } = this;
    const search = this.strategy.search(this.searchContext);
    return new CtcRecognizer(engine, {
      decoder,
      search,
      encode: (inputs) => interCtc.encode(inputs, evaluationPass),
      loss: (encoded, inputs) => this.loss(encoded, inputs, evaluationPass),
      inner: new InterCtcEvaluation(interCtc, decoder, search),
    });
  }

  private loss(encoded: Encoded, inputs: Tensors, pass: Pass): StepOutput {
    const { targets, targetLengths } = speechInputs(inputs);
    const labels = { lengths: encoded.lengths, targets, targetLengths };
    const ctc = frameLossOf(this.criterion, this.decoder, encoded.encoded, labels, pass);
    const { loss, logs } = this.interCtc.add(ctc, encoded, inputs, pass, this.criterion);
    return weightedOutput(loss, logs);
  }
}

/** The same with characters: the vocabulary is `labels`. */
export class EncDecCTCModel extends EncDecCTCModelBPE {}
