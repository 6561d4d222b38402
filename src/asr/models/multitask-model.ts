// NeMo's EncDecMultiTaskModel (Canary; Puvvada et al. 2024): a speech encoder and a Transformer decoder that is told by
// a prompt what to write: in which language, transcribed or translated, with or without punctuation.
import { type ConfigNode, hasTarget, type InferConfig, type SectionInput } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import type { SpeechLabels, TranscriptionInput, Utterance } from '../../data/index.js';
import { type Engine, type HostTensors, int32, type Tensor, type Tensors, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  type AttentionDecodingConfig,
  type AttentionDecodingSection,
  attentionDecodingSchema,
} from '../../generation/index.js';
import {
  buildModel,
  type ModelContext,
  modelScope,
  type StepOutput,
  weightedOutput,
} from '../../model/index.js';
import type { RestoreOptions } from '../../nemo/index.js';
import {
  evaluationPass,
  frameMask,
  Linear,
  type Pass,
  type TokenLoss,
  tokenLossKind,
} from '../../nn/index.js';
import {
  isPromptTokenizer,
  type PromptFormat,
  type PromptSlots,
  type PromptTokenizer,
  promptFormat,
  TRANSCRIBE_DEFAULTS,
} from '../../text/index.js';
import type { TokenHead, TransformerDecoder, TransformerEncoder } from '../../transformer/index.js';
import {
  type AttentionDecoding,
  attentionDecoding,
  attentionDecodingKind,
} from '../decoding/decoding-kinds.js';
import type { Encoded } from '../encoders/encoder.js';
import { attentionDecoderSubnet, memoryOutput } from '../export/attention-decoder.js';
import type { Subnet } from '../export/subnets.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import { MultiTaskRecognizer } from '../recognition/multitask-recognizer.js';
import type { LabelOptions, Recognizer } from '../recognition/recognizer.js';
import { encoderPass } from '../recognition/speech-inputs.js';
import type { StreamHead } from '../streaming/stream-head.js';
import type { TranscribeOptions } from '../transcription/options.js';
import type { TranscriptOptions } from '../transcription/transcript.js';
import { brickComponents } from './bricks.js';
import { headKind, transformerDecoderKind, transformerEncoderKind } from './kinds.js';
import { archivesOf } from './model-component.js';
import type { ModelFamily } from './model-family.js';
import { type DecoderMemory, multiTaskFamily, multiTaskSchema } from './multitask-family.js';
import { promptDefaults } from './prompt-defaults.js';
import { SpeechModel, type SubnetOptions } from './speech-model.js';

/** A `model` section of this family: a loaded one, or its keys. */
export type MultiTaskSection = SectionInput<typeof multiTaskSchema>;
export type MultiTaskConfig = InferConfig<typeof multiTaskSchema>;

/**
 * NeMo's EncDecMultiTaskModel (Canary; Puvvada et al. 2024): a speech encoder and a Transformer decoder that is told
 * by a prompt what to write: in which language, transcribed or translated, with or without punctuation.
 */
export class EncDecMultiTaskModel extends SpeechModel<MultiTaskConfig> {
  override readonly family: ModelFamily = multiTaskFamily;
  readonly projection: Linear | undefined;
  readonly transformerEncoder: TransformerEncoder | undefined;
  decoder: TransformerDecoder;
  head: TokenHead;
  readonly prompt: PromptFormat;
  private special: PromptTokenizer;
  private readonly criterion: TokenLoss;
  private strategy: AttentionDecoding;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: MultiTaskConfig, scope: Container) {
    super(node, settings, scope);
    this.special = promptTokenizer(this.tokenizer);
    this.prompt = promptFormat(settings.prompt_format, promptDefaults(settings.prompt_defaults));
    // As NeMo: room for a vocabulary that is a multiple of 8.
    const classes = 8 * Math.ceil(this.tokenizer.vocabSize / 8);
    const decoder = this.build(settings.transf_decoder, transformerDecoderKind, {
      config_dict: { vocab_size: classes },
    });
    if (this.encoder.width !== decoder.width) {
      this.projection = this.child('encoder_decoder_proj', new Linear(this.encoder.width, decoder.width));
    }
    const between = settings.transf_encoder;
    if (between && between['num_layers'] !== 0) {
      const builtEncoder = this.build(between, transformerEncoderKind);
      checkWidth('transf_encoder.hidden_size', builtEncoder.width, decoder.width);
      this.transformerEncoder = this.child('transf_encoder', builtEncoder);
    }
    this.decoder = this.child('transf_decoder', decoder);
    this.head = this.child('log_softmax', this.build(settings.head, headKind, { num_classes: classes }));
    checkWidth('head.hidden_size', this.head.width, decoder.width);
    this.head.shareEmbedding(decoder.embedding.tokens.weight);
    this.criterion = this.build(settings.loss, tokenLossKind);
    this.strategy = this.decodingOf(settings.decoding);
  }

  /** A model from the `model` section of a config; see `EncDecRNNTBPEModel.fromConfig`. */
  static fromConfig(node: MultiTaskSection, context: ModelContext = {}): EncDecMultiTaskModel {
    return buildModel(
      context,
      brickComponents,
      (scope, options) => new this(node as ConfigNode, multiTaskSchema.parse(node, options), scope),
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
  ): Promise<EncDecMultiTaskModel> {
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one makes its own models.
    const make = (node: ConfigNode, scope: Container) => this.fromConfig(node, scope);
    const scope = modelScope(context, brickComponents);
    return restoreSpeechArchive(path, make, scope, archivesOf(scope.components, multiTaskFamily), options);
  }

  protected override adopt(replacement: this): void {
    super.adopt(replacement);
    this.special = replacement.special;
    this.decoder = this.replaceChild('transf_decoder', replacement.decoder);
    this.head = this.replaceChild('log_softmax', replacement.head);
  }

  override trainingStep(inputs: Tensors, pass: Pass): StepOutput {
    return this.step(this.memory(inputs, pass), inputs, pass);
  }

  /** Decodes differently from now on: `decoding` is a section like `model.decoding`. @throws AnemoneError(s) */
  override changeDecoding(decoding: AttentionDecodingSection): void {
    this.strategy = hasTarget(decoding)
      ? this.decodingOf(decoding)
      : attentionDecoding(attentionDecodingSchema.parse(decoding, { path: 'model.decoding' }));
    this.forgetRecognizers();
  }

  private decodingOf(section: AttentionDecodingConfig | ConfigNode | null): AttentionDecoding {
    if (hasTarget(section)) return this.build(section, attentionDecodingKind);
    return attentionDecoding(
      (section as AttentionDecodingConfig | null) ?? attentionDecodingSchema.parse({}),
    );
  }

  /** features [B,T,F] and featureLengths [B] → what the decoder looks at. */
  memory(inputs: Tensors, pass: Pass): DecoderMemory {
    const { features, featureLengths } = inputs;
    return this.bridge(this.encoder.forward(features, featureLengths, encoderPass(inputs, pass)), pass);
  }

  /** From the encoder's output to the decoder's memory. */
  bridge({ encoded, lengths }: Encoded, pass: Pass): DecoderMemory {
    const projected = this.projection ? this.projection.forward(encoded) : encoded;
    const states = this.transformerEncoder
      ? this.transformerEncoder.forward(projected, lengths, pass)
      : projected;
    return { states, lengths };
  }

  /** Log-probabilities [B,U,V] of what follows each token of tokens int32 [B,U], of which lengths [B] are real. */
  logProbs(tokens: Tensor, lengths: Tensor, memory: DecoderMemory, pass: Pass): Tensor {
    return this.head.forward(this.decoder.forward(tokens, lengths, memory, pass), pass);
  }

  /**
   * Mean cross-entropy of the tokens after the first. `targets` int32 [B,U] are prompt, text and end, of
   * `targetLengths`, the first `promptLengths` of which are the prompt.
   */
  loss(memory: DecoderMemory, inputs: Tensors, pass: Pass): Tensor {
    return this.step(memory, inputs, pass).loss;
  }

  /** The loss with the number of tokens that it is the mean over. */
  private step(
    memory: DecoderMemory,
    { targets, targetLengths, promptLengths }: Tensors,
    pass: Pass,
  ): StepOutput {
    const [batch, width] = targets.shape;
    const steps = width - 1;
    const tokens = tf.slice(targets, [0, 0], [batch, steps]);
    const labels = tf.slice(targets, [0, 1], [batch, steps]);
    const one = tf.scalar(1, 'int32');
    const lengths = tf.sub(targetLengths, one);
    const logProbs = this.logProbs(tokens, lengths, memory, pass);
    const realFrames = frameMask(lengths, steps);
    const mask = this.settings.use_loss_mask_for_prompt
      ? tf.sub(realFrames, frameMask(tf.sub(promptLengths, one), steps))
      : realFrames;
    return weightedOutput(this.criterion.forward({ logProbs, labels, mask }, pass));
  }

  /** Ids of the prompt for these slots; NeMo's defaults stand for those that nobody gave. */
  promptIds(slots: PromptSlots = {}): number[] {
    return this.prompt.encode(this.prompt.complete(slots, TRANSCRIBE_DEFAULTS), this.special);
  }

  /** Ids of a transcript with its end, in the language `lang`. */
  transcriptIds(text: string, lang: string | undefined): number[] {
    return [...this.special.encodeTranscript(text, lang), this.special.eosId];
  }

  override labelInputs(
    text: string,
    options: LabelOptions & { readonly slots?: PromptSlots } = {},
  ): HostTensors {
    const { lang, slots = lang === undefined ? {} : { source_lang: lang, target_lang: lang } } = options;
    const prompt = this.promptIds(slots);
    const { target_lang: writtenLang } = this.prompt.complete(slots, TRANSCRIBE_DEFAULTS);
    return promptedInputs([prompt], [this.transcriptIds(text, writtenLang)], this.special.padId);
  }

  /** As in NeMo, whose other models hear recordings as they are. */
  override get shortestSeconds(): number {
    return 1;
  }

  override get takesPrompt(): boolean {
    return true;
  }

  protected override rowInputs(rows: readonly TranscriptionInput[], options: TranscribeOptions): HostTensors {
    const prompts = rows.map((row) => {
      const ownPrompt = typeof row === 'object' && 'prompt' in row ? row.prompt : undefined;
      return this.promptIds({ ...options.prompt, ...ownPrompt });
    });
    return promptedInputs(prompts, [], this.special.padId);
  }

  protected override labels(langField = 'lang'): SpeechLabels {
    const slots = (utterance: Utterance) => this.prompt.complete(utterance.custom ?? {});
    const languageOf = (utterance: Utterance) =>
      utterance.custom?.[langField] ?? slots(utterance)['target_lang'];
    return {
      ...super.labels(langField),
      languageOf,
      custom: [...this.prompt.manifestKeys, langField],
      padId: this.special.padId,
      prompt: (utterance) => this.prompt.encode(slots(utterance), this.special),
      tokenize: (text, utterance) => this.transcriptIds(text, languageOf(utterance)),
    };
  }

  protected override transcriptOptions(): TranscriptOptions {
    return {
      kind: 'attention',
      timestamps: undefined,
      wordSeparator: ' ',
      segmentSeparators: [],
      segmentGap: null,
      confidence: undefined,
    };
  }

  protected override subnets(options: SubnetOptions): readonly Subnet[] {
    if (options.streaming) {
      throw refuse(
        'streaming.attention',
        'an attention decoder needs the whole utterance',
        'leave out streaming',
      );
    }
    if (options.for === 'sherpa') {
      throw refuse(
        'export.sherpa',
        "sherpa-onnx reads NVIDIA's Canary alone, in files of another form",
        'onnx-asr reads the ordinary files',
      );
    }
    const output = memoryOutput((encoded) => this.bridge(encoded, evaluationPass));
    return [this.encoderFile(options, output), attentionDecoderSubnet(this.decoder, this.head)];
  }

  /** `prompt_ids` are those of a call that says nothing, if the model has the tokens: it may not know English. */
  protected override exportMetadata(): Record<string, string> {
    const { eosId, padId } = this.special;
    return {
      prompt_format: this.prompt.name,
      ...this.usualPrompt(),
      eos_id: String(eosId),
      pad_id: String(padId),
      max_sequence_length: String(this.decoder.config.max_sequence_length),
    };
  }

  private usualPrompt(): Record<string, string> {
    try {
      return { prompt_ids: JSON.stringify(this.promptIds()) };
    } catch (error) {
      if (error instanceof AnemoneError && error.code === 'text.unknown-token') return {};
      throw error;
    }
  }

  protected override streamHead(): StreamHead {
    const hint = 'cut long recordings at silences first';
    throw refuse('streaming.attention', 'an attention decoder needs the whole utterance', hint);
  }

  protected override createRecognizer(engine: Engine): Recognizer {
    const network = { decoder: this.decoder, head: this.head };
    const { eosId, padId } = this.special;
    const { vocabSize } = this.tokenizer;
    return new MultiTaskRecognizer(engine, {
      search: this.strategy.search({ engine, network, tokens: { eosId, padId, vocabSize } }),
      memory: (inputs) => this.memory(inputs, evaluationPass),
      loss: (memory, inputs) => this.step(memory, inputs, evaluationPass),
    });
  }
}

/** Prompts and what follows them as `Batch.inputs` has them. */
function promptedInputs(
  prompts: readonly (readonly number[])[],
  texts: readonly (readonly number[])[],
  padId: number,
): HostTensors {
  const rows = prompts.map((prompt, i) => [...prompt, ...(texts[i] ?? [])]);
  const width = Math.max(...rows.map((row) => row.length));
  const targets = new Int32Array(rows.length * width).fill(padId);
  for (const [i, row] of rows.entries()) targets.set(row, i * width);
  const lengths = (lists: readonly (readonly number[])[]) => int32(lists.map((list) => list.length), [lists.length]); // biome-ignore format: one line reads better
  return {
    targets: int32(targets, [rows.length, width]),
    targetLengths: lengths(rows),
    promptLengths: lengths(prompts),
  };
}

function promptTokenizer(tokenizer: object): PromptTokenizer {
  if (isPromptTokenizer(tokenizer)) return tokenizer;
  throw new AnemoneError({
    code: 'asr.no-prompt-tokenizer',
    path: 'model.tokenizer',
    message: 'this tokenizer has no special tokens to write prompts with',
    hint: 'use type: agg with custom_tokenizer._target_: CanaryTokenizer and a member spl_tokens',
  });
}

function checkWidth(key: string, width: number, decoder: number): void {
  if (width === decoder) return;
  throw new AnemoneError({
    code: 'asr.width',
    path: `model.${key}`,
    message: `is ${width}, and the decoder is ${decoder} wide`,
  });
}

function refuse(code: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({ code, message, hint });
}
