// A hybrid model that is told the language (or another prompt) as a one-hot vector beside each frame of the encoder's
// output: NeMo's EncDecHybridRNNTCTCBPEModelWithPrompt, that of NVIDIA's multilingual streaming models. A prompt of
// tokens for an attention decoder is another thing; see multitask-model.ts.
import { type ConfigNode, type InferConfig, isMapping, type SectionInput } from '../../config/index.js';
import type { Container } from '../../container/index.js';
import type { SpeechLabels, TranscriptionInput, Utterance } from '../../data/index.js';
import { type Engine, type HostTensors, int32, type Tensor, type Tensors, tf } from '../../engine/index.js';
import { AnemoneError, didYouMean } from '../../errors/index.js';
import { buildModel, type ModelContext, modelScope } from '../../model/index.js';
import type { RestoreOptions } from '../../nemo/index.js';
import { Linear, Module } from '../../nn/index.js';
import type { ExportOptions } from '../export/export-onnx.js';
import { type EncoderOutput, frames, type Subnet } from '../export/subnets.js';
import { range } from '../losses/diagonals.js';
import { restoreSpeechArchive } from '../nemo/speech-archive.js';
import type { LabelOptions } from '../recognition/recognizer.js';
import type { StreamHead } from '../streaming/stream-head.js';
import type { StreamingParts } from '../streaming/streaming-recognizer.js';
import type { TranscribeOptions } from '../transcription/options.js';
import { brickComponents } from './bricks.js';
import { EncDecHybridRNNTCTCBPEModel } from './hybrid-model.js';
import { archivesOf } from './model-component.js';
import type { ModelFamily } from './model-family.js';
import { promptHybridFamily, promptHybridSchema } from './prompt-hybrid-family.js';
import type { SubnetOptions } from './speech-model.js';

/** A `model` section of this family: a loaded one, or its keys. */
export type PromptHybridSection = SectionInput<typeof promptHybridSchema>;
export type PromptHybridConfig = InferConfig<typeof promptHybridSchema>;

/** NeMo's, where nobody says the language. */
const DEFAULT_PROMPT = 'en-US';

/** NeMo's Sequential of Linear, ReLU, Linear: its names are numbers. */
class PromptKernel extends Module {
  private readonly widen: Linear;
  private readonly narrow: Linear;

  constructor(
    readonly prompts: number,
    width: number,
  ) {
    super();
    this.widen = this.child('0', new Linear(prompts + width, 2 * width));
    this.narrow = this.child('2', new Linear(2 * width, width));
  }

  /** encoded [B,T,d], index int32 [B] of each utterance's prompt → [B,T,d]. */
  forward(encoded: Tensor, index: Tensor): Tensor {
    const [batch, frames] = encoded.shape as number[];
    const oneHot = tf.cast(
      tf.equal(tf.reshape(index, [batch, 1, 1]), range(this.prompts, [1, 1, this.prompts])),
      'float32',
    );
    const beside = tf.mul(oneHot, tf.ones([1, frames, 1]));
    return this.narrow.forward(tf.relu(this.widen.forward(tf.concat([encoded, beside], 2))));
  }
}

/**
 * A hybrid model that is told the language (or another prompt) as a one-hot vector beside each frame of the
 * encoder's output: NeMo's EncDecHybridRNNTCTCBPEModelWithPrompt, that of NVIDIA's multilingual streaming models. A
 * prompt of tokens for an attention decoder is another thing; see multitask-model.ts.
 */
export class EncDecHybridRNNTCTCBPEModelWithPrompt extends EncDecHybridRNNTCTCBPEModel {
  override readonly family: ModelFamily = promptHybridFamily;
  /** Numbers of prompts by name. */
  readonly prompts: ReadonlyMap<string, number>;
  /** Keys of a manifest that say the prompt, in the order in which they count. */
  readonly prompt = { manifestKeys: ['target_lang', 'lang'] } as const;
  private readonly kernel: PromptKernel | undefined;

  /** Use `fromConfig`. */
  constructor(node: ConfigNode, settings: PromptHybridConfig, scope: Container) {
    super(node, settings, scope);
    const { model_defaults: defaults } = settings as {
      readonly model_defaults: Readonly<Record<string, unknown>>;
    };
    const count = numberOf(defaults['num_prompts'] ?? 128, 'num_prompts');
    this.prompts = dictionary(defaults['prompt_dictionary'], count);
    if (defaults['initialize_prompt_feature'] === true) {
      this.kernel = this.child('prompt_kernel', new PromptKernel(count, this.encoder.width));
    }
  }

  /** A model from the `model` section of a config; see `EncDecRNNTBPEModel.fromConfig`. */
  static override fromConfig(
    node: PromptHybridSection,
    context: ModelContext = {},
  ): EncDecHybridRNNTCTCBPEModelWithPrompt {
    return buildModel(
      context,
      brickComponents,
      (scope, options) => new this(node as ConfigNode, promptHybridSchema.parse(node, options), scope),
    );
  }

  /** A model from a .nemo archive; see `EncDecRNNTBPEModel.restoreFrom`. */
  static override restoreFrom(
    path: string,
    context: ModelContext,
    options: RestoreOptions = {},
  ): Promise<EncDecHybridRNNTCTCBPEModelWithPrompt> {
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one makes its own models.
    const make = (node: ConfigNode, scope: Container) => this.fromConfig(node, scope);
    const scope = modelScope(context, brickComponents);
    return restoreSpeechArchive(path, make, scope, archivesOf(scope.components, promptHybridFamily), options);
  }

  override get takesPrompt(): boolean {
    return true;
  }

  /** encoded [B,T,d] with the prompts of `inputs.promptIndex`, int32 [B]. */
  override condition(encoded: Tensor, { promptIndex }: Tensors): Tensor {
    return this.kernel ? this.kernel.forward(encoded, promptIndex) : encoded;
  }

  /** The number of a prompt. @param name default NeMo's, en-US. @throws AnemoneError `asr.unknown-prompt` */
  promptIndex(name: string = DEFAULT_PROMPT): number {
    const index = this.prompts.get(name);
    if (index !== undefined) return index;
    const knownPrompts = [...this.prompts.keys()];
    const somePrompts =
      knownPrompts.length > 12 ? `${knownPrompts.slice(0, 12).join(', ')}, …` : knownPrompts.join(', ');
    throw new AnemoneError({
      code: 'asr.unknown-prompt',
      path: 'target_lang',
      message: `the model has no prompt "${name}"`,
      hint: didYouMean(name, knownPrompts) ?? `it has ${somePrompts}`,
    });
  }

  override labelInputs(text: string, options: LabelOptions = {}): HostTensors {
    const labels = super.labelInputs(text, options);
    if (!this.kernel) return labels;
    return { ...labels, promptIndex: int32([this.promptIndex(options.lang)], [1]) };
  }

  protected override rowInputs(rows: readonly TranscriptionInput[], options: TranscribeOptions): HostTensors {
    if (!this.kernel) return {};
    const indices = rows.map((row) => {
      const ownPrompt = typeof row === 'object' && 'prompt' in row ? row.prompt : undefined;
      return this.promptIndex(nameOf(ownPrompt) ?? nameOf(options.prompt));
    });
    return { promptIndex: int32(indices, [rows.length]) };
  }

  override streamingParts(engine: Engine, options: TranscribeOptions = {}): StreamingParts {
    const parts = super.streamingParts(engine, options);
    if (!this.kernel) return parts;
    const index = this.promptIndex(nameOf(options.prompt));
    const { head } = parts;
    const prompted: StreamHead = {
      outputs: (encoded) => {
        const promptIndex = tf.fill([(encoded.shape as number[])[0]], index, 'int32') as Tensor;
        return head.outputs(this.condition(encoded, { promptIndex }));
      },
      start: () => head.start(),
      advance: (outputs, pieces) => head.advance(outputs, pieces),
      hypothesis: (search) => head.hypothesis(search),
    };
    return { ...parts, head: prompted };
  }

  protected override labels(field = 'lang'): SpeechLabels {
    if (!this.kernel) return super.labels(field);
    const promptOf = ({ custom, lang, origin }: Utterance): string => {
      const foundPrompt = (field === 'lang' ? undefined : custom?.[field]) ?? custom?.['target_lang'] ?? lang;
      if (foundPrompt !== undefined) return foundPrompt;
      throw new AnemoneError({
        code: 'text.language-needed',
        message: `${origin}: the line does not say its language`,
        hint: `give target_lang or lang: one of ${[...this.prompts.keys()].slice(0, 12).join(', ')}`,
      });
    };
    return {
      ...super.labels(field),
      custom: ['target_lang', ...(field === 'lang' ? [] : [field])],
      promptIndex: (utterance) => this.promptIndex(promptOf(utterance)),
    };
  }

  /** With the prompt's layers, and one input more: `prompt_index` int64 [B]. */
  protected override encoderFile(options: SubnetOptions, output: EncoderOutput = frames): Subnet {
    const { kernel } = this;
    if (!kernel) return super.encoderFile(options, output);
    return super.encoderFile(options, {
      ...output,
      inputs: { prompt_index: { dtype: 'int32', axes: ['batch'], int64: true } },
      trial: (batch) => ({
        prompt_index: int32(
          Array.from({ length: batch }, (_, row) => row % kernel.prompts),
          [batch],
        ),
      }),
      of: ({ encoded, lengths }, inputs) =>
        output.of({ encoded: kernel.forward(encoded, inputs['prompt_index']), lengths }, inputs),
    });
  }

  protected override exportMetadata(options: ExportOptions): Record<string, string> {
    const metadata = super.exportMetadata(options);
    if (!this.kernel) return metadata;
    // The names that sherpa-onnx reads them by.
    const usual =
      this.prompts.get('auto') ?? this.prompts.get(DEFAULT_PROMPT) ?? [...this.prompts.values()][0];
    return {
      ...metadata,
      prompt_dictionary: JSON.stringify(Object.fromEntries(this.prompts)),
      auto_prompt_id: String(usual),
    };
  }
}

/** The language that slots of a prompt name. */
function nameOf(slots: Readonly<Record<string, string>> | undefined): string | undefined {
  return slots?.['target_lang'] ?? slots?.['lang'];
}

function numberOf(value: unknown, key: string): number {
  if (Number.isInteger(value) && (value as number) >= 1) return value as number;
  throw new AnemoneError({
    code: 'config.invalid-value',
    path: `model.model_defaults.${key}`,
    message: `expected a positive integer, got ${JSON.stringify(value)}`,
  });
}

function dictionary(value: unknown, count: number): ReadonlyMap<string, number> {
  const path = 'model.model_defaults.prompt_dictionary';
  const fail = (message: string): never => {
    const hint = "a number for each language: { 'en-US': 0, 'de-DE': 1 }";
    throw new AnemoneError({ code: 'config.invalid-value', path, message, hint });
  };
  if (!isMapping(value) || Object.keys(value).length === 0)
    return fail('expected a mapping of names to numbers');
  const entries = Object.entries(value as Readonly<Record<string, unknown>>);
  for (const [name, index] of entries) {
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= count) {
      return fail(`"${name}" has ${JSON.stringify(index)}, expected an integer from 0 to ${count - 1}`);
    }
  }
  return new Map(entries as [string, number][]);
}
