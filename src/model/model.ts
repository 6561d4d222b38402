// The base class of models.
import {
  type LoadAdaptersOptions,
  loadAdapters,
  ModelAdapters,
  saveAdapters,
  type UnfreezeOptions,
} from '../adapters/index.js';
import {
  type ComponentSection,
  type ConfigNode,
  pathOf,
  positionOf,
  resolveConfig,
  withKeys,
  withPosition,
} from '../config/index.js';
import { type ComponentDescriptor, type Container, type KindOf, SEED } from '../container/index.js';
import { ENGINE, type Engine, type Tensors } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import { type Archivable, type ArchivedConfig, saveArchive } from '../nemo/index.js';
import { Module, type Pass, type ReadState } from '../nn/index.js';
import { type ModelContext, modelScope, type Section } from './context.js';
import { checkSize } from './model-size.js';
import type { ArchivableModel, BatchSource, DataLimits, Evaluator, StepOutput } from './trainable-model.js';

interface ModelMaker<M> {
  fromConfig(node: ConfigNode, context: ModelContext): M;
}

/** The keys of a `model` section that every model reads. */
export interface ModelConfig {
  readonly adapters: Section | null;
}

/**
 * What every model that a config describes has, whatever it computes: its config, bricks built of sections,
 * adapters, archives, and the engine that holds its weights.
 */
export abstract class Model<S extends ModelConfig = ModelConfig>
  extends Module
  implements ArchivableModel, Archivable
{
  readonly adapters: ModelAdapters;
  /** Its components, and its services by token. */
  protected readonly container: Container;
  private written: Section;

  /**
   * @param node the `model` section as written; @param settings the same, checked
   * @param context the scope that `buildModel` opened
   * @param components what the section may name, where the context has no container
   */
  protected constructor(
    node: ConfigNode,
    protected readonly settings: S,
    context: ModelContext,
    components: readonly ComponentDescriptor[],
  ) {
    super();
    this.container = modelScope(context, components);
    this.seed = this.container.resolve(SEED);
    this.written = resolveConfig(node) as Section;
    this.adapters = new ModelAdapters(this, this.container);
  }

  abstract trainingSource(limits?: DataLimits): Promise<BatchSource | undefined>;
  /** A source for each set of `validation_ds`; none where the config names none. */
  abstract validationSources(): Promise<readonly BatchSource[]>;
  /** A source for each set of `test_ds`; none where the config names none. */
  abstract testSources(): Promise<readonly BatchSource[]>;
  /** See `TrainableModel`. */
  get testsOwnData(): boolean {
    return true;
  }
  abstract trainingStep(inputs: Tensors, pass: Pass): StepOutput;
  abstract evaluator(engine: Engine): Evaluator;
  abstract artifacts(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** See `Archivable`. */
  abstract nemoConfig(name: (file: string, bytes: Uint8Array) => string): ArchivedConfig;

  get module(): Module {
    return this;
  }

  /** The resolved `model` section, with the adapters the model has now. */
  get config(): Section {
    const { config: adapters } = this.adapters;
    return adapters ? withKeys(this.written, { adapters }) : this.written;
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
  addAdapter(name: string, config: ComponentSection): void {
    this.adapters.add(name, config as Section);
    this.networkChanged();
  }

  /** Switches one adapter, or with `undefined` all of them, on or off. @throws AnemoneError `adapter.unknown` */
  setEnabledAdapters(name: string | undefined, enabled = true): void {
    this.adapters.enable(name, enabled);
    this.networkChanged();
  }

  /**
   * Makes the enabled adapters trainable; `freeze()` comes before. Batch norms of the model stop following the data
   * unless told otherwise, as in NeMo.
   */
  unfreezeEnabledAdapters(options: UnfreezeOptions = {}): void {
    this.adapters.unfreezeEnabled(options);
  }

  /**
   * Adds a low-rank adapter (LoRA) to the weights beside which it stands, and takes it away: the model computes the same up to
   * rounding, without the adapter's products.
   * @param name default: all that there are
   * @throws AnemoneError `adapter.unknown`, `adapter.no-merge` for adapters of other kinds, `asr.no-engine`
   */
  async mergeAdapters(name?: string, options: { readonly engine?: Engine } = {}): Promise<void> {
    const engine = this.engineFor(options.engine, 'mergeAdapters');
    for (const each of name === undefined ? this.adapters.names : [name])
      await this.adapters.merge(each, engine);
    this.networkChanged();
  }

  /**
   * Writes adapters alone, in the format of NeMo's `save_adapters`.
   * @param options.names default: all of them
   * @throws AnemoneError `adapter.unknown`, `asr.no-engine`
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
    this.networkChanged();
    return names;
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

  /** Another model of this class. @throws AnemoneError(s) of its `fromConfig` */
  protected another(node: ConfigNode, context: ModelContext): this {
    // Every class of models has it; TypeScript gives `constructor` no type.
    return (this.constructor as unknown as ModelMaker<this>).fromConfig(node, context);
  }

  /** Takes over what depends on the config's change from a model that was made of the changed one, and its config. */
  protected adopt(replacement: this): void {
    this.written = replacement.written;
  }

  /** Programs that were compiled of the network compute what it was before. Default: there are none. */
  protected networkChanged(): void {}

  /** The engine given, or the one that the model was made with. @throws AnemoneError `asr.no-engine` */
  protected engineFor(givenEngine: Engine | undefined, method: string): Engine {
    if (givenEngine) return givenEngine;
    if (this.container.has(ENGINE)) return this.container.resolve(ENGINE);
    throw new AnemoneError({
      code: 'asr.no-engine',
      message: `${method} needs the engine that holds the weights`,
      hint: 'pass { engine }, or make the model with a trainer',
    });
  }

  /** Values that nested components have from the model where they have such a key and do not give it. Default: none. */
  protected inherited(): Section {
    return {};
  }

  /**
   * Builds a nested component.
   * @param values win over those of the section
   * @param defaults count where its schema has such a key and the section does not give it
   */
  protected build<T>(section: Section, kind: KindOf<T>, values: Section = {}, defaults: Section = {}): T {
    const node = section as ConfigNode;
    const { schema } = this.container.components.findFor(node, kind.kind, '_target_', undefined, kind.kind);
    const follows = Object.entries({ ...this.inherited(), ...defaults }).filter(
      ([key]) => key in schema.fields && !(key in section),
    );
    const brick = withPosition(node, () =>
      this.container.instantiate(node, kind, { with: { ...Object.fromEntries(follows), ...values } }),
    );
    if (brick instanceof Module)
      checkSize(brick, { path: pathOf(node) || kind.kind, position: positionOf(node) });
    return brick;
  }
}
