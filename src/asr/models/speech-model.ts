// The base class of speech models. Longer than other files because it is the whole public interface of a model; the
// work is done in files beside it.
import type { FeatureAugmentation } from '../../audio/index.js';
import { type ConfigNode, hasTarget } from '../../config/index.js';
import { READ_FILE, type ReadFile } from '../../container/index.js';
import {
  type SpeechDataSource,
  type SpeechLabels,
  type TranscriptionInput,
  unknownTextOf,
} from '../../data/index.js';
import { cancellable, ENGINE, type Engine, type HostTensors, int32 } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { AttentionDecodingSection } from '../../generation/index.js';
import {
  type Batch,
  type BatchSource,
  dataSourceKind,
  type Evaluator,
  type HeatMap,
  MODEL_FILES,
  Model,
  type ModelConfig,
  type ModelContext,
  ModelFiles,
  type ReportContributor,
  type Section,
  useFiles,
} from '../../model/index.js';
import type { ArchivedConfig } from '../../nemo/index.js';
import type { Tokenizer } from '../../text/index.js';
import type { DecodingSection } from '../decoding/config.js';
import {
  type CtcDecodingConfig,
  type CtcDecodingSection,
  ctcDecodingSchema,
} from '../decoding/ctc-config.js';
import { type FrameDecoding, frameDecoding, frameDecodingKind } from '../decoding/decoding-kinds.js';
import { hypothesisText } from '../decoding/hypothesis-text.js';
import type { ChunkOptions } from '../encoders/chunk-plan.js';
import type { Encoder } from '../encoders/encoder.js';
import { Preprocessor } from '../encoders/front-end.js';
import type { TransducerHead } from '../export/decoder-joint.js';
import { exportModel } from '../export/export-model.js';
import { DEFAULT_MAX_FRAMES, type ExportOptions } from '../export/export-onnx.js';
import {
  type StreamingEncoder,
  streamingEncoder,
  streamingEncoderSubnet,
} from '../export/streaming-encoder.js';
import { type EncoderOutput, encoderSubnet, type Subnet } from '../export/subnets.js';
import { CTCLoss } from '../losses/ctc.js';
import { type FrameLoss, frameLossKind } from '../losses/loss-kinds.js';
import type { LossReduction } from '../losses/reduction.js';
import type { LatticeImplementation } from '../losses/transducer-lattice.js';
import { savedConfig } from '../nemo/saved-config.js';
import type { LabelOptions, Recognizer } from '../recognition/recognizer.js';
import { SpeechEvaluator } from '../recognition/speech-evaluator.js';
import type { StreamHead } from '../streaming/stream-head.js';
import { type StreamingParts, StreamingRecognizer } from '../streaming/streaming-recognizer.js';
import { transcribeBuffered } from '../streaming/transcribe-buffered.js';
import type { TranscribeOptions } from '../transcription/options.js';
import { transcribeAudio, transcriptMaker } from '../transcription/transcribe.js';
import type { Transcript, TranscriptOptions } from '../transcription/transcript.js';
import { checkFeatureWidth, checkSampleRates } from './agreement.js';
import { brickComponents } from './bricks.js';
import { encoderKind, preprocessorKind, specAugmentKind } from './kinds.js';
import { ModelData, manifestsOf, type SourceSection, type SourceSections } from './model-data.js';
import type { ModelFamily } from './model-family.js';
import { tokenizerOf } from './model-tokenizer.js';
import { type Example, firstExample, spectrogram } from './report-pictures.js';
import { configWithVocabulary, keepWeights, type Vocabulary, type VocabularyOptions } from './vocabulary.js';

/** What a branch with a classifier of frames says of its loss; see `ctcFields`. */
export interface FrameLossSection {
  readonly loss: Section | null;
  readonly ctc_reduction: LossReduction;
  readonly ctc_implementation: LatticeImplementation;
}

/** The keys of a `model` section that this class reads; see `commonFields`. */
export interface SpeechModelConfig extends ModelConfig {
  readonly nemo_compat: '1.x' | '2.5';
  readonly labels: readonly string[] | null;
  readonly tokenizer: unknown;
  readonly train_ds: SourceSection | null;
  readonly validation_ds: SourceSections;
  readonly test_ds: SourceSections;
  readonly preprocessor: Section;
  readonly spec_augment: Section | null;
  readonly encoder: Section;
  readonly compute_eval_loss: boolean;
}

/** A `decoding` section of one of the families. */
export type AnyDecodingSection = DecodingSection | CtcDecodingSection | AttentionDecodingSection;

/** What a model is told of the files it is to become. */
export interface SubnetOptions extends ExportOptions {
  readonly maxFrames: number;
  /** Undefined for an encoder of whole utterances. */
  readonly stream: StreamingEncoder | undefined;
}

/**
 * What all speech models share: front end, tokenizer, encoder, data sources, evaluation, transcription. A class
 * derived from it says what its loss is and how its output becomes tokens. Source: NeMo's ASRModel.
 */
export abstract class SpeechModel<S extends SpeechModelConfig = SpeechModelConfig>
  extends Model<S>
  implements ReportContributor
{
  /** What configs, archives and `inspect` know of such models. */
  abstract readonly family: ModelFamily;
  tokenizer: Tokenizer;
  readonly encoder: Encoder;
  readonly preprocessor: Preprocessor;
  private readonly specAugment: FeatureAugmentation | null;
  /** What the report's pictures show. */
  private example: Example | undefined;
  private recognizers = new WeakMap<Engine, Recognizer>();
  /** Language models and phrases. */
  protected decodingFiles: ReadFile;

  /** @param node the `model` section as written; @param settings the same, checked. */
  protected constructor(node: ConfigNode, settings: S, context: ModelContext) {
    super(node, settings, context, brickComponents);
    this.decodingFiles = this.container.resolve(READ_FILE);
    this.tokenizer = tokenizerOf(settings.tokenizer, this.config, this.container);
    const frontEnd = this.build(settings.preprocessor, preprocessorKind);
    this.preprocessor = this.child('preprocessor', new Preprocessor(frontEnd));
    this.specAugment = settings.spec_augment ? this.build(settings.spec_augment, specAugmentKind) : null;
    checkSampleRates(node, frontEnd.config.sample_rate);
    checkFeatureWidth(node, frontEnd);
    this.encoder = this.child('encoder', this.build(settings.encoder, encoderKind));
  }

  /** The loss of a branch with a classifier of frames. */
  protected frameLoss(section: FrameLossSection): FrameLoss {
    const { loss, ctc_reduction: reduction, ctc_implementation: implementation } = section;
    if (loss) return this.build(loss, frameLossKind, {}, { reduction, implementation });
    return new CTCLoss({ reduction, implementation });
  }

  /** How a branch with a classifier of frames decodes. @param section checked, or a component */
  protected frameDecodingOf(section: CtcDecodingConfig | ConfigNode | null): FrameDecoding {
    if (hasTarget(section)) return this.build(section, frameDecodingKind);
    return frameDecoding((section as CtcDecodingConfig | null) ?? ctcDecodingSchema.parse({}));
  }

  /** The same of a section that a program gives. @param path where it would stand in the config */
  protected givenFrameDecoding(section: unknown, path: string): FrameDecoding {
    if (hasTarget(section)) return this.build(section, frameDecodingKind);
    return frameDecoding(ctcDecodingSchema.parse(section, { path }));
  }

  /** Seconds between two encoder frames. */
  get frameSeconds(): number {
    const { hop, sample_rate: rate } = this.preprocessor.frontEnd.config;
    return (hop / rate) * this.encoder.subsamplingFactor;
  }

  /** Compiles what `recognizer` hands out. */
  protected abstract createRecognizer(engine: Engine): Recognizer;

  /** Whether languages, and what else a prompt says, decide what the model transcribes. */
  get takesPrompt(): boolean {
    return false;
  }

  /** `transcribe` puts silence on both sides of shorter recordings. */
  get shortestSeconds(): number {
    return 0;
  }

  /** What a recogniser needs of inputs to transcribe besides their features. */
  protected rowInputs(_rows: readonly TranscriptionInput[], options: TranscribeOptions): HostTensors {
    if (options.prompt === undefined) return {};
    throw new AnemoneError({
      code: 'asr.no-prompt',
      message: `${this.constructor.name} takes no prompt`,
      hint: 'leave out languages, task and pnc',
    });
  }

  /** A transcript as `Batch.inputs` of one row has it. */
  labelInputs(text: string, { lang, tokens }: LabelOptions = {}): HostTensors {
    const ids = tokens ?? this.tokenizer.textToIds(text, lang);
    const targets = new Int32Array(Math.max(ids.length, 1));
    targets.set(ids);
    return { targets: int32(targets, [1, targets.length]), targetLengths: int32([ids.length], [1]) };
  }

  /** What the decoding section says about transcripts. */
  protected abstract transcriptOptions(): TranscriptOptions;

  /** The greedy search that goes on from chunk to chunk. */
  protected abstract streamHead(engine: Engine): StreamHead;

  /** What recognises batches on `engine`; made once for each engine, with its compiled programs. */
  recognizer(engine: Engine): Recognizer {
    let recognizer = this.recognizers.get(engine);
    if (!recognizer) {
      recognizer = this.createRecognizer(engine);
      this.recognizers.set(engine, recognizer);
    }
    return recognizer;
  }

  /** The files that `export` writes. */
  protected abstract subnets(options: SubnetOptions): readonly Subnet[];

  /** What stands behind the encoder in the files, where that is a transducer. */
  protected exportedHead(_options: ExportOptions): TransducerHead | undefined {
    return undefined;
  }

  /** What a model adds to the metadata of its files. */
  protected exportMetadata(options: ExportOptions): Record<string, string> {
    return this.ctcMetadata(options);
  }

  /** sherpa-onnx counts blank among the tokens of a CTC model, unless it is for streams. */
  protected ctcMetadata({ streaming }: ExportOptions): Record<string, string> {
    const { vocabSize } = this.tokenizer;
    return { blank_id: String(vocabSize), vocab_size: String(streaming ? vocabSize : vocabSize + 1) };
  }

  /** The file with the encoder, for whole utterances or for streams. */
  protected encoderFile({ maxFrames, stream }: SubnetOptions, output?: EncoderOutput): Subnet {
    const { width: features } = this.preprocessor.frontEnd.config;
    if (stream) return streamingEncoderSubnet({ features, output }, stream);
    return encoderSubnet({ encoder: this.encoder, features, maxFrames, output });
  }

  /**
   * Writes the model for other programs as ONNX: `path` itself for CTC, beside it `encoder-NAME` and
   * `decoder_joint-NAME` for a transducer, `encoder-NAME` and `decoder-NAME` for an attention decoder. Inputs and
   * outputs have NeMo's names; batch size and lengths are free. Returns the files written. Front end and tokenizer
   * stay outside; what is needed to rebuild them is in the metadata. With `for: 'sherpa'`, `path` is a folder, for
   * `model.onnx` or `encoder.onnx`, `decoder.onnx` and `joiner.onnx`, and `tokens.txt`.
   * @throws AnemoneError `asr.no-engine`, `export.*`: nothing is written when a file would be right at some lengths only
   */
  async export(path: string, options: ExportOptions = {}): Promise<readonly string[]> {
    const engine = this.engineFor(options.engine, 'export');
    const maxFrames = options.maxFrames ?? DEFAULT_MAX_FRAMES;
    const stream = this.exportedStream(options, maxFrames);
    const exported = {
      encoder: this.encoder,
      frontEnd: this.preprocessor.frontEnd,
      modelType: this.family.classes.tokens.name,
      tokens: this.tokenizer.idsToTokens(range(this.tokenizer.vocabSize)),
      head: this.exportedHead(options),
      metadata: this.exportMetadata(options),
      subnets: () => this.subnets({ ...options, maxFrames, stream }),
    };
    return exportModel(exported, path, engine, { ...options, maxFrames, stream });
  }

  private exportedStream({ streaming }: ExportOptions, maxFrames: number): StreamingEncoder | undefined {
    if (!streaming) return undefined;
    const sizes = streaming === true ? {} : streaming;
    return streamingEncoder(this.encoder, this.preprocessor, { ...sizes, maxContext: maxFrames });
  }

  protected override networkChanged(): void {
    this.forgetRecognizers();
  }

  protected override inherited(): Section {
    return { nemo_compat: this.settings.nemo_compat };
  }

  /** After a change of how this model decodes. */
  protected forgetRecognizers(): void {
    this.recognizers = new WeakMap();
  }

  /** After the program gave a section of decoding: files that it names come from disk. */
  protected decodingGiven(): void {
    this.decodingFiles = this.container.resolve(MODEL_FILES).readGiven;
    this.forgetRecognizers();
  }

  override evaluator(engine: Engine): Evaluator {
    return new SpeechEvaluator(
      this.recognizer(engine),
      this.tokenizer,
      hypothesisText(this.tokenizer, this.transcriptOptions().kind),
      this.settings.compute_eval_loss,
      (batch) => {
        this.example ??= firstExample(batch);
      },
    );
  }

  /** The spectrogram of the first utterance evaluated; models add what else they can show of it. */
  async reportContributions(
    engine: Engine,
    firstBatch?: () => Promise<Batch | undefined>,
  ): Promise<readonly HeatMap[]> {
    const batch = this.example ? undefined : await firstBatch?.();
    if (batch) this.example = firstExample(batch);
    return this.example ? [spectrogram(this.example), ...(await this.picturesOf(this.example, engine))] : [];
  }

  /** Pictures of one example for the report, such as an alignment. Default: none. */
  protected async picturesOf(_example: Example, _engine: Engine): Promise<readonly HeatMap[]> {
    return [];
  }

  /**
   * Transcribes audio files (paths), segments of them, or waveforms (mono, at the model's sample rate, in
   * [-1, 1]). Results keep the order of `audio`. Few features are in memory at a time, however many inputs
   * there are.
   * @throws AnemoneError `asr.no-engine`, `asr.bad-audio` without `options.onBad`, `engine.cancelled` by `options.signal`
   */
  async transcribe(
    audio: readonly TranscriptionInput[],
    options: TranscribeOptions = {},
  ): Promise<Transcript[]> {
    return cancellable(options.signal, () => this.transcribeAll(audio, options));
  }

  private async transcribeAll(
    audio: readonly TranscriptionInput[],
    options: TranscribeOptions,
  ): Promise<Transcript[]> {
    const engine = this.engineFor(options.engine, 'transcribe');
    if (options.chunkSeconds !== undefined) {
      const { chunkSeconds } = options;
      const partsOf = (prompt: TranscribeOptions['prompt']) =>
        this.streamingParts(engine, { ...options, prompt });
      return transcribeBuffered(partsOf, audio, {
        ...options,
        chunkSeconds,
        engine,
      });
    }
    const rowInputs = (rows: readonly TranscriptionInput[]) => this.rowInputs(rows, options);
    return transcribeAudio(
      this,
      this.recognizer(engine),
      audio,
      this.transcriptOptions(),
      options,
      rowInputs,
    );
  }

  /**
   * Recognition while audio arrives, by greedy search, for models trained for it (causal subsampling and convolutions,
   * limited attention). Texts are those that `transcribe` finds in the whole recordings.
   * @throws AnemoneError `asr.no-engine`, `streaming.*` for a model that needs whole utterances
   */
  stream(options: ChunkOptions & Pick<TranscribeOptions, 'engine' | 'prompt'> = {}): StreamingRecognizer {
    const engine = this.engineFor(options.engine, 'stream');
    return new StreamingRecognizer(engine, this.streamingParts(engine, options), options);
  }

  /**
   * Decodes differently from now on, as NeMo's change_decoding_strategy: `decoding` is a section like `model.decoding`.
   * @throws AnemoneError(s) `config.*` for the section, `asr.no-decoding` for a class of your own that has only one way
   */
  changeDecoding(_decoding: AnyDecodingSection): void {
    throw new AnemoneError({
      code: 'asr.no-decoding',
      message: `${this.constructor.name} has one way of decoding`,
    });
  }

  /** What `stream` and buffered transcription are made of. */
  streamingParts(engine: Engine, options: TranscribeOptions = {}): StreamingParts {
    const maker = transcriptMaker(this, this.transcriptOptions(), options);
    const { encoder, preprocessor } = this;
    return { encoder, frontEnd: preprocessor.frontEnd, head: this.streamHead(engine), maker };
  }

  override nemoConfig(name: (file: string, bytes: Uint8Array) => string): ArchivedConfig {
    return savedConfig(this, this.family, this.container, name);
  }

  /**
   * Gives the model another vocabulary, as NeMo's `change_vocabulary`. Encoder and front end stay; the rest starts anew:
   * all of decoder and joint or, with `keep: 'all'`, only the layers whose size or meaning the vocabulary decides.
   * Returns the model itself.
   * @throws AnemoneError `asr.no-engine`, and what is wrong with the tokenizer; nothing is changed then
   */
  async changeVocabulary(vocabulary: Vocabulary, options: VocabularyOptions = {}): Promise<this> {
    const engine = this.engineFor(options.engine, 'changeVocabulary');
    const replacement = this.anotherWith(vocabulary, engine);
    const oldStates = this.stateDict();
    this.adopt(replacement);
    this.adapters.relocate();
    await keepWeights(this, oldStates, engine, options.keep);
    this.forgetRecognizers();
    return this;
  }

  /** As `changeVocabulary`, but a new model of the same class; this one is not changed. */
  async withVocabulary(vocabulary: Vocabulary, options: VocabularyOptions = {}): Promise<this> {
    const engine = this.engineFor(options.engine, 'withVocabulary');
    const replacement = this.anotherWith(vocabulary, engine);
    await keepWeights(replacement, this.stateDict(), engine, options.keep);
    return replacement;
  }

  private anotherWith(vocabulary: Vocabulary, engine: Engine): this {
    const node = configWithVocabulary(this.config, this.family, vocabulary);
    const { outside } = this.container.resolve(MODEL_FILES);
    const scope = useFiles(this.container.scope(), new ModelFiles(outside));
    return this.another(node, scope.registerValue(ENGINE, engine));
  }

  protected override adopt(replacement: this): void {
    super.adopt(replacement);
    this.tokenizer = replacement.tokenizer;
  }

  override trainingSource(): Promise<BatchSource | undefined> {
    return this.data.training(this.settings.train_ds);
  }

  override validationSources(): Promise<readonly BatchSource[]> {
    return this.data.evaluation('validation_ds', this.settings.validation_ds);
  }

  override testSources(): Promise<readonly BatchSource[]> {
    return this.data.evaluation('test_ds', this.settings.test_ds);
  }

  /** An archive's own test set, which nobody named here, is not. */
  override get testsOwnData(): boolean {
    const { sealed } = this.container.resolve(MODEL_FILES);
    const paths = manifestsOf(this.settings.test_ds);
    return paths.length === 0 || paths.some((path) => !sealed(path));
  }

  override async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.tokenizer.files();
  }

  private get data(): ModelData {
    const { container, preprocessor, seed, specAugment } = this;
    return new ModelData({
      container,
      seed,
      specAugment,
      frontEnd: preprocessor.frontEnd,
      build: (section) => this.build<SpeechDataSource>(section, dataSourceKind),
      labels: (langField) => this.labels(langField),
    });
  }

  /** How transcripts become targets. @param _langField key of the manifest that says a line's language */
  protected labels(_langField = 'lang'): SpeechLabels {
    return {
      tokenize: (text, { lang }) => this.tokenizer.textToIds(text, lang),
      unknown: unknownTextOf(this.tokenizer),
    };
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
