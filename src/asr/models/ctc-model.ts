// CTC models (Graves et al. 2006): encoder and a frame classifier. EncDecCTCModelBPE (tokenizer) and
// EncDecCTCModel (characters) differ only in the section their vocabulary comes from.
import { type ConfigNode, componentConfig, defineSchema, type InferConfig } from '../../config/index.js';
import type { Engine, Tensors } from '../../engine/index.js';
import { evaluationPass, type Pass, type StepOutput } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import { decodingSchema } from '../decoding/config.js';
import { encoderSubnet, type Subnet } from '../export/subnets.js';
import { frameDecoderKind } from '../kinds.js';
import { buildModel, type ModelContext } from './context.js';
import { ctcLoss } from './ctc-head.js';
import { CtcRecognizer } from './ctc-recognizer.js';
import { commonFields, commonIgnored } from './model-schema.js';
import { type Recognizer, SpeechModel, speechInputs } from './speech-model.js';

/** Keys of a CTC branch, alone or beside a transducer. */
export const ctcFields = {
  decoder: { doc: 'Frame classifier.', format: componentConfig('decoder') },
  decoding: { doc: 'How hypotheses are found.', format: decodingSchema, nullable: true, default: null },
  ctc_reduction: {
    doc: 'From costs of utterances to the loss.',
    format: ['mean_batch', 'mean', 'mean_volume', 'sum'],
    default: 'mean_batch',
  },
  ctc_implementation: {
    doc: 'Where the lattice is computed: inside the program, or on the host, cutting it in two.',
    format: ['scan', 'host'],
    default: 'scan',
  },
} as const;

export const ctcModelSchema = defineSchema(
  'EncDecCTCModelBPE',
  { ...commonFields, ...ctcFields },
  { doc: 'A CTC model: encoder and frame classifier.', ignored: commonIgnored },
);

export type CtcModelConfig = InferConfig<typeof ctcModelSchema>;

export class EncDecCTCModelBPE extends SpeechModel<CtcModelConfig> {
  readonly decoder: ConvASRDecoder;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: CtcModelConfig, context: ModelContext) {
    super(node, settings, context);
    this.decoder = this.child(
      'decoder',
      this.build(settings.decoder, frameDecoderKind, {
        num_classes: this.tokenizer.vocabSize,
        feat_in: this.encoder.width,
      }),
    );
  }

  /** A model from the `model` section of a config; see `EncDecRNNTBPEModel.fromConfig`. */
  static fromConfig(node: ConfigNode, context: ModelContext = {}): EncDecCTCModelBPE {
    return buildModel(
      context,
      (own, options) => new EncDecCTCModelBPE(node, ctcModelSchema.parse(node, options), own),
    );
  }

  override trainingStep(inputs: Tensors, pass: Pass): StepOutput {
    const { features, featureLengths, targets, targetLengths } = speechInputs(inputs);
    const { encoded, lengths } = this.encoder.forward(features, featureLengths, pass);
    const loss = ctcLoss(this.decoder, encoded, { lengths, targets, targetLengths }, pass, {
      reduction: this.settings.ctc_reduction,
      implementation: this.settings.ctc_implementation,
    });
    return { loss };
  }

  protected override subnets({ maxFrames }: { readonly maxFrames: number }): readonly Subnet[] {
    const { encoder, decoder: ctc } = this;
    return [encoderSubnet({ encoder, ctc, features: this.preprocessor.frontEnd.config.features, maxFrames })];
  }

  protected override createRecognizer(engine: Engine): Recognizer {
    return new CtcRecognizer(engine, {
      decoder: this.decoder,
      encode: ({ features, featureLengths }) =>
        this.encoder.forward(features, featureLengths, evaluationPass),
      loss: ({ encoded, lengths }, inputs) => {
        const { targets, targetLengths } = speechInputs(inputs);
        const options = { reduction: this.settings.ctc_reduction };
        return ctcLoss(this.decoder, encoded, { lengths, targets, targetLengths }, evaluationPass, options);
      },
    });
  }
}

/** The same with characters: the vocabulary is `labels`. */
export class EncDecCTCModel extends EncDecCTCModelBPE {}
