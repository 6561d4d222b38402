// A transducer with an auxiliary CTC branch on the same encoder: (1-w)·RNN-T + w·CTC. Either branch decodes.
import type { ConfigNode, InferConfig, SectionInput } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import type { Engine, Tensor, Tensors } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  buildModel,
  type ModelContext,
  modelScope,
  type StepOutput,
  weightedOutput,
} from '../../model/index.js';
import type { RestoreOptions } from '../../nemo/index.js';
import { addLosses, evaluationPass, type Pass, scaleLoss } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { DecodingSection } from '../decoding/config.js';
import {
  type CtcDecodingConfig,
  type CtcDecodingSection,
  ctcDecodingSchema,
} from '../decoding/ctc-config.js';
import { type CtcSearch, type CtcSearchContext, greedyCtcFusion } from '../decoding/ctc-search.js';
import type { FrameDecoding } from '../decoding/decoding-kinds.js';
import { transcriptFields } from '../decoding/shared-config.js';
import type { Encoded } from '../encoders/encoder.js';
import type { TransducerHead } from '../export/decoder-joint.js';
import type { ExportOptions } from '../export/export-onnx.js';
import { ctcOutput, type Subnet } from '../export/subnets.js';
import type { FrameLoss } from '../losses/loss-kinds.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import { frameLossOf } from '../recognition/ctc-head.js';
import { CtcRecognizer } from '../recognition/ctc-recognizer.js';
import { InterCtc } from '../recognition/inter-ctc.js';
import { InterCtcEvaluation } from '../recognition/inter-ctc-evaluation.js';
import type { Recognizer } from '../recognition/recognizer.js';
import type { RnntForward } from '../recognition/rnnt-recognizer.js';
import { speechInputs } from '../recognition/speech-inputs.js';
import { CtcStreamHead, type StreamHead } from '../streaming/stream-head.js';
import type { TranscriptOptions } from '../transcription/transcript.js';
import { checkFrameDecoder } from './agreement.js';
import { brickComponents } from './bricks.js';
import { hybridFamily, hybridModelSchema } from './hybrid-family.js';
import { frameDecoderKind } from './kinds.js';
import { archivesOf } from './model-component.js';
import type { ModelFamily } from './model-family.js';
import { EncDecRNNTBPEModel } from './rnnt-model.js';
import type { SubnetOptions } from './speech-model.js';

/** A `model` section of this family: a loaded one, or its keys. */
export type HybridModelSection = SectionInput<typeof hybridModelSchema>;
export type HybridModelConfig = InferConfig<typeof hybridModelSchema>;

/**
 * NeMo's EncDecHybridRNNTCTCBPEModel: a transducer with an auxiliary CTC branch on the same encoder. The loss is
 * (1-w)·RNN-T + w·CTC with w = `aux_ctc.ctc_loss_weight`; either branch decodes.
 */
export class EncDecHybridRNNTCTCBPEModel extends EncDecRNNTBPEModel {
  override readonly family: ModelFamily = hybridFamily;
  ctcDecoder: ConvASRDecoder;
  private interCtc: InterCtc;
  private readonly frameCriterion: FrameLoss;
  private readonly interSettings: HybridModelConfig['interctc'];
  private readonly auxiliary: HybridModelConfig['aux_ctc'];
  private decodes: 'rnnt' | 'ctc' = 'rnnt';
  private ctcStrategy: FrameDecoding;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: HybridModelConfig, scope: Container) {
    super(node, settings, scope);
    this.auxiliary = settings.aux_ctc;
    checkFrameDecoder(node, 'aux_ctc.decoder', this.encoder.width, this.tokenizer.vocabSize);
    this.ctcDecoder = this.child(
      'ctc_decoder',
      this.build(settings.aux_ctc.decoder, frameDecoderKind, {
        num_classes: this.tokenizer.vocabSize,
        feat_in: this.encoder.width,
      }),
    );
    this.ctcStrategy = this.frameDecodingOf(settings.aux_ctc.decoding);
    this.frameCriterion = this.frameLoss(settings.aux_ctc);
    this.interSettings = settings.interctc;
    this.interCtc = new InterCtc(settings.interctc, this.encoder, this.ctcDecoder);
  }

  /** A model from the `model` section of a config; see `EncDecRNNTBPEModel.fromConfig`. */
  static override fromConfig(
    node: HybridModelSection,
    context: ModelContext = {},
  ): EncDecHybridRNNTCTCBPEModel {
    return buildModel(
      context,
      brickComponents,
      (scope, options) => new this(node as ConfigNode, hybridModelSchema.parse(node, options), scope),
    );
  }

  /**
   * A model from a .nemo archive, with its weights in the context's engine. `restoreModel` finds the class itself.
   * @throws AnemoneError; see `restoreSpeechArchive`
   */
  static override restoreFrom(
    path: string,
    context: ModelContext,
    options: RestoreOptions = {},
  ): Promise<EncDecHybridRNNTCTCBPEModel> {
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one makes its own models.
    const make = (node: ConfigNode, scope: Container) => this.fromConfig(node, scope);
    const scope = modelScope(context, brickComponents);
    return restoreSpeechArchive(path, make, scope, archivesOf(scope.components, hybridFamily), options);
  }

  protected override adopt(replacement: this): void {
    super.adopt(replacement);
    this.ctcDecoder = this.replaceChild('ctc_decoder', replacement.ctcDecoder);
    this.interCtc = new InterCtc(this.interSettings, this.encoder, this.ctcDecoder);
  }

  /**
   * Chooses the branch that evaluation and transcription decode with, rnnt at first, and maybe how: `decoding` is a
   * section like `model.decoding` or `model.aux_ctc.decoding`.
   * @throws AnemoneError `asr.no-branch`, and `config.*` for the section; nothing is changed then
   */
  changeDecodingStrategy(decoder: 'rnnt' | 'ctc', decoding?: DecodingSection | CtcDecodingSection): void {
    if (decoder !== 'rnnt' && decoder !== 'ctc') {
      throw new AnemoneError({
        code: 'asr.no-branch',
        message: `"${String(decoder)}" is no branch: rnnt or ctc`,
      });
    }
    const before = this.decodes;
    this.decodes = decoder;
    this.forgetRecognizers();
    try {
      if (decoding) this.changeDecoding(decoding);
    } catch (error) {
      this.decodes = before;
      throw error;
    }
  }

  /** Of the branch that decodes. */
  override changeDecoding(decoding: DecodingSection | CtcDecodingSection): void {
    if (this.decodes === 'rnnt') super.changeDecoding(decoding as DecodingSection);
    else this.ctcStrategy = this.givenFrameDecoding(decoding, 'model.aux_ctc.decoding');
    this.decodingGiven();
  }

  /** (1 - w)·RNN-T + w·CTC, and InterCTC's part of it. */
  protected override step(forward: RnntForward, inputs: Tensors, pass: Pass): StepOutput {
    const rnnt = this.transducerLoss(forward, inputs, pass);
    const weight = this.auxiliary.ctc_loss_weight;
    const ctc = weight > 0 ? this.ctcLoss(forward, inputs, pass) : undefined;
    const both = ctc ? addLosses(scaleLoss(rnnt, 1 - weight), scaleLoss(ctc, weight)) : rnnt;
    const { loss, logs } = this.interCtc.add(both, forward, inputs, pass, this.frameCriterion);
    return weightedOutput(loss, { ...(ctc && { rnnt_loss: rnnt, ctc_loss: ctc }), ...logs });
  }

  /** The encoder's output of a batch, which both branches share; inner layers go to the CTC heads on them. */
  protected override encode(inputs: Tensors, pass: Pass): Encoded {
    const innerEncoded = this.interCtc.encode(inputs, pass);
    const encoded = this.condition(innerEncoded.encoded, inputs);
    if (encoded !== innerEncoded.encoded) this.interCtc.follow(innerEncoded.encoded, encoded);
    return { ...innerEncoded, encoded };
  }

  /** What the heads are given of the encoder's output [B,T,d]; models with prompts put them in here. */
  condition(encoded: Tensor, _inputs: Tensors): Tensor {
    return encoded;
  }

  protected override transcriptOptions(): TranscriptOptions {
    if (this.decodes === 'rnnt') return super.transcriptOptions();
    return { kind: 'ctc', ...transcriptFields(this.ctcDecoding, this.ctcDecoding.ctc_timestamp_type) };
  }

  protected override subnets(options: SubnetOptions): readonly Subnet[] {
    if (this.exportsTransducer(options)) return super.subnets(options);
    return [this.encoderFile(options, ctcOutput(this.ctcDecoder))];
  }

  protected override exportedHead(options: ExportOptions): TransducerHead | undefined {
    return this.exportsTransducer(options) ? super.exportedHead(options) : undefined;
  }

  protected override exportMetadata(options: ExportOptions): Record<string, string> {
    return this.exportsTransducer(options) ? super.exportMetadata(options) : this.ctcMetadata(options);
  }

  private exportsTransducer({ decoder }: ExportOptions): boolean {
    return (decoder ?? this.decodes) === 'rnnt';
  }

  protected override streamHead(engine: Engine): StreamHead {
    if (this.decodes === 'rnnt') return super.streamHead(engine);
    return new CtcStreamHead(this.ctcDecoder, greedyCtcFusion(this.ctcDecoding, this.ctcContext));
  }

  protected override createRecognizer(engine: Engine): Recognizer {
    if (this.decodes === 'rnnt') return super.createRecognizer(engine);
    const search = this.ctcSearch();
    return new CtcRecognizer(engine, {
      decoder: this.ctcDecoder,
      search,
      encode: (inputs) => this.encode(inputs, evaluationPass),
      loss: (encoded, inputs) => {
        const ctc = this.ctcLoss(encoded, inputs, evaluationPass);
        const { loss, logs } = this.interCtc.add(ctc, encoded, inputs, evaluationPass, this.frameCriterion);
        return weightedOutput(loss, logs);
      },
      inner: new InterCtcEvaluation(this.interCtc, this.ctcDecoder, search),
    });
  }

  protected override innerEvaluation(): InterCtcEvaluation {
    const last = this.auxiliary.ctc_loss_weight > 0;
    return new InterCtcEvaluation(this.interCtc, this.ctcDecoder, this.ctcSearch(), last);
  }

  private ctcSearch(): CtcSearch {
    return this.ctcStrategy.search(this.ctcContext);
  }

  private get ctcDecoding(): CtcDecodingConfig {
    return this.ctcStrategy.settings ?? ctcDecodingSchema.parse({});
  }

  private get ctcContext(): CtcSearchContext {
    const { ctcDecoder, tokenizer, decodingFiles: readFile } = this;
    return { blank: ctcDecoder.blank, tokenizer, readFile, path: 'model.aux_ctc.decoding' };
  }

  private ctcLoss(forward: Pick<RnntForward, 'encoded' | 'lengths'>, inputs: Tensors, pass: Pass) {
    const { targets, targetLengths } = speechInputs(inputs);
    const { encoded, lengths } = forward;
    const labels = { lengths, targets, targetLengths };
    return frameLossOf(this.frameCriterion, this.ctcDecoder, encoded, labels, pass);
  }
}

/** The same with characters: the vocabulary is `labels`. */
export class EncDecHybridRNNTCTCModel extends EncDecHybridRNNTCTCBPEModel {}
