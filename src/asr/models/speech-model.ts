// What all speech models share: front end, tokenizer, encoder, data sources, evaluation, transcription.
// A model says what its loss is and how its output becomes tokens. Longer than other files because it is the whole public
// interface of a model; the work is done in files beside it.
import {
  type LoadAdaptersOptions,
  loadAdapters,
  ModelAdapters,
  saveAdapters,
  type UnfreezeOptions,
} from '../../adapters/index.js';
import { isMfcc, type SpecAugmentConfig } from '../../audio/index.js';
import {
  type ConfigNode,
  configFromValues,
  pathOf,
  positionOf,
  resolveConfig,
  withPosition,
} from '../../config/index.js';
import type { Container, KindOf } from '../../container/index.js';
import {
  type DataSection,
  type OpenSourceOptions,
  openEvaluationSources,
  openSpeechSource,
  type TranscriptionInput,
  unknownTextOf,
} from '../../data/index.js';
import { type Engine, type HostTensors, int32, type Tensor, type Tensors, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import {
  type ArchivableModel,
  type Batch,
  type BatchSource,
  checkSize,
  containerOf,
  type Evaluator,
  fileReader,
  type HeatMap,
  lossOf,
  type ModelContext,
  type ReportContributor,
  type Section,
  type StepOutput,
} from '../../model/index.js';
import { type Archivable, type ArchivedConfig, saveArchive } from '../../nemo/index.js';
import { addLosses, Module, type Pass, type ReadState, weightedLoss } from '../../nn/index.js';
import type { ReadFile, Tokenizer } from '../../text/index.js';
import { hypothesisText } from '../decoding/hypothesis-text.js';
import type { ChunkOptions } from '../encoders/chunk-plan.js';
import type { Encoder } from '../encoders/encoder.js';
import { Preprocessor } from '../encoders/front-end.js';
import type { TransducerHead } from '../export/decoder-joint.js';
import {
  DEFAULT_MAX_FRAMES,
  type ExportOptions,
  exportOnnx,
  nemoTarget,
  sherpaTarget,
} from '../export/export-onnx.js';
import { checkForSherpa, normalizeType, sherpaMetadata, sherpaTokens } from '../export/sherpa.js';
import {
  type StreamingEncoder,
  streamingEncoder,
  streamingEncoderSubnet,
  streamingMetadata,
} from '../export/streaming-encoder.js';
import { type EncoderOutput, encoderSubnet, longestInput, type Subnet } from '../export/subnets.js';
import { savedConfig } from '../nemo/saved-config.js';
import type { LabelOptions, Recognizer } from '../recognition/recognizer.js';
import { SpeechEvaluator } from '../recognition/speech-evaluator.js';
import type { StreamHead } from '../streaming/stream-head.js';
import { type StreamingParts, StreamingRecognizer } from '../streaming/streaming-recognizer.js';
import { transcribeBuffered } from '../streaming/transcribe-buffered.js';
import type { TranscribeOptions } from '../transcription/options.js';
import { transcribeAudio, transcriptMaker } from '../transcription/transcribe.js';
import type { Transcript, TranscriptSettings } from '../transcription/transcript.js';
import { checkFeatureWidth, checkSampleRates } from './agreement.js';
import { brickComponents } from './bricks.js';
import { encoderKind, preprocessorKind, specAugmentKind } from './kinds.js';
import { tokenizerOf } from './model-tokenizer.js';
import { type Example, firstExample, spectrogram } from './report-pictures.js';

/** The keys of a `model` section that this class reads; see `commonFields`. */
export interface SpeechModelConfig {
  readonly nemo_compat: '1.x' | '2.5';
  readonly labels: readonly string[] | null;
  readonly tokenizer: unknown;
  readonly train_ds: DataSection | null;
  readonly validation_ds: DataSection | null;
  readonly test_ds: DataSection | null;
  readonly preprocessor: Section;
  readonly spec_augment: Section | null;
  readonly encoder: Section;
  readonly compute_eval_loss: boolean;
  readonly adapters: Section | null;
}

/** What a model is told of the files it is to become. */
export interface SubnetOptions extends ExportOptions {
  readonly maxFrames: number;
  /** Undefined for an encoder of whole utterances. */
  readonly stream: StreamingEncoder | undefined;
}

export abstract class SpeechModel<S extends SpeechModelConfig = SpeechModelConfig>
  extends Module
  implements ArchivableModel, Archivable, ReportContributor
{
  readonly tokenizer: Tokenizer;
  readonly encoder: Encoder;
  readonly preprocessor: Preprocessor;
  protected readonly container: Container;
  private readonly specAugment: Partial<SpecAugmentConfig> | null;
  /** What the report's pictures show. */
  private example: Example | undefined;
  private recognizers = new WeakMap<Engine, Recognizer>();
  private readonly written: Section;
  readonly adapters: ModelAdapters;
  /** Language models and phrases. */
  protected decodingFiles: ReadFile;

  /** @param node the `model` section as written; @param settings the same, checked. */
  protected constructor(
    node: ConfigNode,
    protected readonly settings: S,
    protected readonly context: ModelContext,
  ) {
    super();
    this.seed = context.seed ?? 0;
    this.decodingFiles = fileReader(context);
    this.container = containerOf(context, brickComponents);
    this.written = resolveConfig(node) as Section;
    this.adapters = new ModelAdapters(this, this.container);
    this.tokenizer = tokenizerOf(settings.tokenizer, this.written, context);
    const keys = this.build(settings.preprocessor, preprocessorKind);
    const preprocessor = withPosition(settings.preprocessor as ConfigNode, () => new Preprocessor(keys));
    this.preprocessor = this.child('preprocessor', preprocessor);
    this.specAugment = settings.spec_augment ? this.build(settings.spec_augment, specAugmentKind) : null;
    const { config: frontEnd } = this.preprocessor.frontEnd;
    checkSampleRates(node, frontEnd.sample_rate);
    checkFeatureWidth(node, isMfcc(frontEnd) ? 'n_mfcc' : 'features', frontEnd.width);
    this.encoder = this.child('encoder', this.build(settings.encoder, encoderKind));
  }

  get module(): Module {
    return this;
  }

  /** The resolved `model` section, with the adapters the model has now. */
  get config(): Section {
    const { config: adapters } = this.adapters;
    return adapters ? { ...this.written, adapters } : this.written;
  }

  /** Puts in the adapters of the config; once, when all modules are there. */
  setUpAdapters(): void {
    if (this.settings.adapters) this.adapters.restore(this.settings.adapters);
  }

  /**
   * Adds an adapter (NeMo's `add_adapter`), enabled unless the config says otherwise. A new one changes no output.
   * @param name `NAME`, or `encoder:NAME`, `decoder:NAME`, `joint:NAME`, `encoder+joint:NAME`; in the encoder, every
   *   layer gets one
   * @param config a component: `{ _target_: 'LinearAdapter', dim: 32 }`
   * @throws AnemoneError(s) `adapter.*`, `config.*`, `container.unknown-component`
   */
  addAdapter(name: string, config: Section): void {
    this.adapters.add(name, config);
    this.forgetRecognizers();
  }

  /** Switches one adapter, or with `undefined` all of them, on or off. @throws AnemoneError `adapter.unknown` */
  setEnabledAdapters(name: string | undefined, enabled = true): void {
    this.adapters.enable(name, enabled);
    this.forgetRecognizers();
  }

  /**
   * Makes the enabled adapters trainable; `freeze()` comes before. Batch norms of the model stop following the data
   * unless told otherwise, as in NeMo.
   */
  unfreezeEnabledAdapters(options: UnfreezeOptions = {}): void {
    this.adapters.unfreezeEnabled(options);
  }

  /**
   * Writes adapters alone, in the format of NeMo's `save_adapters`.
   * @param names default: all of them. @throws AnemoneError `adapter.unknown`, `asr.no-engine`
   */
  async saveAdapters(
    path: string,
    options: { readonly names?: readonly string[]; readonly engine?: Engine } = {},
  ): Promise<void> {
    const engine = this.engineFor(options.engine, 'saveAdapters');
    await saveAdapters(this.adapters, path, engine, options.names);
  }

  /**
   * Adds adapters of a file that `saveAdapters` or NeMo's `save_adapters` wrote. Returns their names.
   * @throws AnemoneError `adapter.*`, `checkpoint.mismatch`, `asr.no-engine`, and what is wrong with the file
   */
  async loadAdapters(
    path: string,
    options: LoadAdaptersOptions & { readonly engine?: Engine } = {},
  ): Promise<readonly string[]> {
    const engine = this.engineFor(options.engine, 'loadAdapters');
    const names = await loadAdapters(this.adapters, path, engine, options);
    this.forgetRecognizers();
    return names;
  }

  /** Runs a training step's forward, and adds to its loss what modules on the way ask for. */
  protected withCosts(pass: Pass, step: (pass: Pass) => StepOutput): StepOutput {
    const costs: Tensor[] = [];
    const output = step({ ...pass, cost: (value) => void costs.push(value) });
    if (costs.length === 0) return output;
    const value = costs.reduce((sum, cost) => tf.add(sum, cost));
    const total = weightedLoss(value, 'examples');
    const loss = addLosses(lossOf(output), total);
    return {
      ...output,
      loss: loss.value,
      logs: { ...output.logs, adapter_loss: total.value },
      terms: { ...output.terms, loss: loss.terms, adapter_loss: total.terms },
    };
  }

  /** Seconds between two encoder frames. */
  get frameSeconds(): number {
    const { hop, sample_rate: rate } = this.preprocessor.frontEnd.config;
    return (hop / rate) * this.encoder.subsamplingFactor;
  }

  abstract trainingStep(inputs: Tensors, pass: Pass): StepOutput;

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
  protected abstract transcriptSettings(): TranscriptSettings;

  /** The greedy search that goes on from chunk to chunk. */
  protected abstract streamHead(engine: Engine): StreamHead;

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
    const tokens = this.tokenizer.idsToTokens(range(this.tokenizer.vocabSize));
    const { config: mel } = this.preprocessor.frontEnd;
    const longest = () => this.encoder.outputLength(longestInput(this.encoder, maxFrames));
    const metadata = {
      model_type: this.constructor.name,
      vocabulary: JSON.stringify(tokens),
      subsampling_factor: String(this.encoder.subsamplingFactor),
      ...(stream ? streamingMetadata(stream.plan) : { max_encoder_frames: String(longest()) }),
      preprocessor: JSON.stringify(mel),
      normalize_type: normalizeType(mel),
      feat_dim: String(isMfcc(mel) ? mel.n_mfcc : mel.features),
      ...this.exportMetadata(options),
    };
    const subnets = () => this.subnets({ ...options, maxFrames, stream });
    if (options.for !== 'sherpa') return exportOnnx(nemoTarget(path), subnets(), metadata, engine, options);
    const head = this.exportedHead(options);
    const prompted = 'prompt_dictionary' in metadata;
    checkForSherpa({ mel, vocabulary: tokens, head, streaming: stream !== undefined, prompted });
    const target = sherpaTarget(path, sherpaTokens(tokens));
    const all = { ...metadata, ...sherpaMetadata(this.constructor.name, head) };
    return exportOnnx(target, subnets(), all, engine, options);
  }

  private exportedStream({ streaming }: ExportOptions, maxFrames: number): StreamingEncoder | undefined {
    if (!streaming) return undefined;
    const sizes = streaming === true ? {} : streaming;
    return streamingEncoder(this.encoder, this.preprocessor, { ...sizes, maxContext: maxFrames });
  }

  /** After a change of how this model decodes. */
  protected forgetRecognizers(): void {
    this.recognizers = new WeakMap();
  }

  /** After the program gave a section of decoding: files that it names come from disk. */
  protected decodingGiven(): void {
    this.decodingFiles = fileReader({ artifacts: this.context.artifacts });
    this.forgetRecognizers();
  }

  evaluator(engine: Engine): Evaluator {
    return new SpeechEvaluator(
      this.recognizer(engine),
      this.tokenizer,
      hypothesisText(this.tokenizer, this.transcriptSettings().kind),
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

  protected async picturesOf(_example: Example, _engine: Engine): Promise<readonly HeatMap[]> {
    return [];
  }

  /**
   * Transcribes audio files (paths), segments of them, or waveforms (mono, at the model's sample rate, in
   * [-1, 1]). Results keep the order of `audio`. Few features are in memory at a time, however many inputs
   * there are.
   * @throws AnemoneError `asr.no-engine`, and `asr.bad-audio` without `options.onBad`
   */
  async transcribe(
    audio: readonly TranscriptionInput[],
    options: TranscribeOptions = {},
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
      this.transcriptSettings(),
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

  /** What `stream` and buffered transcription are made of. */
  streamingParts(engine: Engine, options: TranscribeOptions = {}): StreamingParts {
    const maker = transcriptMaker(this, this.transcriptSettings(), options);
    const { encoder, preprocessor } = this;
    return { encoder, frontEnd: preprocessor.frontEnd, head: this.streamHead(engine), maker };
  }

  /**
   * Saves the model as a .nemo archive, which NeMo restores as one of its own.
   * @param options.engine holds the weights; default: the engine the model was made with
   * @param options.instead values that take the place of a state's own, such as averaged weights
   * @throws AnemoneError `asr.no-engine`, `nemo.not-nemos` for models of parts that NeMo does not have
   */
  async saveTo(
    path: string,
    options: { readonly engine?: Engine; readonly instead?: ReadState } = {},
  ): Promise<void> {
    await saveArchive(this, path, this.engineFor(options.engine, 'saveTo'), options.instead);
  }

  /** See `Archivable`. */
  nemoConfig(name: (file: string, bytes: Uint8Array) => string): ArchivedConfig {
    return savedConfig(this, this.container, name);
  }

  /**
   * A model of the same class with another vocabulary, and this one's encoder and front end; this one is not
   * changed. The rest starts anew: all of decoder and joint, as in NeMo, or with `keep: 'all'` only the layers
   * whose size or meaning the vocabulary decides.
   * @param vocabulary a `tokenizer` section, or labels
   * @throws AnemoneError `asr.no-engine`, and what is wrong with the tokenizer
   */
  async changeVocabulary(
    vocabulary: { readonly tokenizer: Section } | { readonly labels: readonly string[] },
    options: { readonly engine?: Engine; readonly keep?: 'encoder' | 'all' } = {},
  ): Promise<this> {
    const engine = this.engineFor(options.engine, 'changeVocabulary');
    const { tokenizer: _, labels: __, ...rest } = this.config;
    const node = configFromValues({ model: { ...withoutClasses(rest), ...vocabulary } }).model;
    const { fromConfig } = this.constructor as unknown as {
      fromConfig: (node: ConfigNode, context: ModelContext) => SpeechModel;
    };
    const { seed, container, log } = this.context;
    const model = fromConfig(node, { seed, container, log, engine });
    const old = this.stateDict();
    for (const [name, state] of model.stateDict()) {
      const starts = options.keep === 'all' ? VOCABULARY_LAYERS : BEHIND_ENCODER;
      const from = starts.test(name) ? undefined : old.get(name);
      if (from) await engine.write(state, await engine.read(from));
    }
    return model as this;
  }

  async trainingSource(): Promise<BatchSource | undefined> {
    const { train_ds: section } = this.settings;
    if (!section) return undefined;
    return openSpeechSource({ ...this.sourceOptions('train_ds', section), training: true });
  }

  async validationSources(): Promise<readonly BatchSource[]> {
    return this.evaluationSources('validation_ds', this.settings.validation_ds);
  }

  async testSources(): Promise<readonly BatchSource[]> {
    return this.evaluationSources('test_ds', this.settings.test_ds);
  }

  async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.tokenizer.files();
  }

  private engineFor(given: Engine | undefined, method: string): Engine {
    const engine = given ?? this.context.engine;
    if (engine) return engine;
    throw new AnemoneError({
      code: 'asr.no-engine',
      message: `${method} needs the engine that holds the weights`,
      hint: 'pass { engine }, or make the model with a trainer',
    });
  }

  /** Builds a nested component; where it has a key `nemo_compat`, that follows the model's unless given. */
  protected build<T>(section: Section, kind: KindOf<T>, values: Section = {}): T {
    const node = section as ConfigNode;
    const descriptor = this.container.components.findFor(node, kind.kind, '_target_', undefined, kind.kind);
    const follows = 'nemo_compat' in descriptor.schema.fields && !('nemo_compat' in section);
    const compat = follows ? { nemo_compat: this.settings.nemo_compat } : {};
    const made = withPosition(node, () =>
      this.container.instantiate(node, kind, { with: { ...compat, ...values } }),
    );
    if (made instanceof Module)
      checkSize(made, { path: pathOf(node) || kind.kind, position: positionOf(node) });
    return made;
  }

  private evaluationSources(name: string, section: DataSection | null): Promise<readonly BatchSource[]> {
    return section ? openEvaluationSources(this.sourceOptions(name, section)) : Promise.resolve([]);
  }

  /** How the utterances of a data section become batches. */
  protected sourceOptions(name: string, section: DataSection): Omit<OpenSourceOptions, 'training'> {
    return {
      name,
      section,
      seed: this.seed,
      preprocessor: this.preprocessor.config,
      specAugment: this.specAugment,
      tokenize: (text, { lang }) => this.tokenizer.textToIds(text, lang),
      unknown: unknownTextOf(this.tokenizer),
      log: this.context.log,
    };
  }
}

/** A config whose classifiers of frames take their number of classes from the vocabulary. */
function withoutClasses(model: Section): Section {
  const { decoder, aux_ctc: auxiliary } = model as Readonly<Record<string, Section | undefined>>;
  const open = (section: Section) => ({ ...section, num_classes: -1, vocabulary: [] });
  return {
    ...model,
    ...(decoder && 'num_classes' in decoder && { decoder: open(decoder) }),
    ...(auxiliary && { aux_ctc: withoutClasses(auxiliary) }),
  };
}

/** Of a multitask model only what has the vocabulary's size starts anew, as in NeMo. */
const BEHIND_ENCODER =
  /^(decoder|joint|ctc_decoder|log_softmax|transf_decoder\._embedding\.token_embedding)\./;
const VOCABULARY_LAYERS =
  /^(decoder\.prediction\.embed|joint\.joint_net|(ctc_)?decoder\.decoder_layers|transf_decoder\._embedding\.token_embedding|log_softmax)\./;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
