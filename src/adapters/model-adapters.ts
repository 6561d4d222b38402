// The adapters of a whole model: which there are, in which of its modules, and the config that says so, which is the
// section NeMo keeps under `model.adapters`.
import {
  type ConfigNode,
  configFromValues,
  EMPTY_SECTION,
  isMapping,
  requireMapping,
  resolveConfig,
} from '../config/index.js';
import type { Container } from '../container/index.js';
import type { Engine } from '../engine/index.js';
import { AnemoneError, didYouMean } from '../errors/index.js';
import { BatchNorm, type Module } from '../nn/index.js';
import { AdapterSlot } from './adapter-slot.js';
import { adapterKind } from './components.js';
import { keptConfig, widthKey } from './kept-config.js';
import { type AdapterPlace, LinearPlace } from './linear-place.js';
import type { LowRankAdapter } from './low-rank-adapter.js';
import { mergeInto } from './merge.js';
import { GLOBAL_CONFIG } from './section.js';
import { adaptedMaps, type TargetOptions } from './target-modules.js';

type Section = Readonly<Record<string, unknown>>;

const META = 'adapter_meta_cfg';
/** The modules that names may start with; without one, the encoder is meant. */
const MODULES = ['encoder', 'decoder', 'joint'] as const;

interface Entry {
  /** As in the name: '', `encoder`, `decoder+joint`, … */
  readonly module: string;
  readonly config: Section;
  enabled: boolean;
  slots: readonly AdapterPlace[];
  /** Which linear maps are adapted; undefined for adapters with slots of their own. */
  readonly targets: TargetOptions | undefined;
}

/** How a model is frozen around its adapters: NeMo's unfreeze_enabled_adapters. */
export interface UnfreezeOptions {
  /** Whether batch norms outside of adapters normalise by their running statistics and keep them. Default true. */
  readonly freezeBatchNorm?: boolean;
}

/**
 * The adapters of a whole model: which there are, in which of its modules, and the config that says so, which is the
 * section NeMo keeps under `model.adapters`. NeMo's AdapterModelPTMixin.
 */
export class ModelAdapters {
  private readonly entries = new Map<string, Entry>();
  /** Of `global_cfg`, without what it says of the adapters there are. */
  private global: Section = {};

  constructor(
    private readonly model: Module,
    private readonly container: Container,
  ) {}

  /** The section `model.adapters`; undefined without adapters. */
  get config(): Section | undefined {
    if (this.entries.size === 0) return undefined;
    const modules = Object.fromEntries([...this.entries].map(([name, { module }]) => [name, module]));
    const adapters = [...this.entries].map(
      ([name, { config, enabled }]) => [name, { ...config, enabled }] as const,
    );
    return { [GLOBAL_CONFIG]: { ...this.global, [META]: { modules } }, ...Object.fromEntries(adapters) };
  }

  /** Names of all adapters, enabled or not, in the order in which they were added. */
  get names(): readonly string[] {
    return [...this.entries.keys()];
  }

  /** Names of the enabled ones. */
  get enabled(): readonly string[] {
    return [...this.entries].filter(([, { enabled }]) => enabled).map(([name]) => name);
  }

  /** Whether adapters stand in the encoder, which NeMo then wants to be of another class. */
  get inEncoder(): boolean {
    return [...this.entries.values()].some(({ module }) => modulesOf(module).includes('encoder'));
  }

  /** Everything that a section `model.adapters` says. @throws AnemoneError(s) */
  restore(section: Section): void {
    const { [GLOBAL_CONFIG]: globalSection, ...adapters } = section;
    const { [META]: meta, ...global } = isMapping(globalSection) ? globalSection : EMPTY_SECTION;
    this.setGlobal(global);
    const modules = isMapping(meta) && isMapping(meta['modules']) ? meta['modules'] : EMPTY_SECTION;
    for (const [name, config] of Object.entries(adapters)) {
      const module = modules[name];
      this.add(typeof module === 'string' && module !== '' ? `${module}:${name}` : name, config as Section);
    }
  }

  /** Looks for the adapters anew, after modules of the model were replaced by others that have the same ones. */
  relocate(): void {
    for (const entry of this.entries.values()) {
      entry.slots = this.placesOf(entry, 'adapters');
    }
  }

  /** What NeMo keeps for all adapters (`check_encoder_adapter` and the like); nothing here follows it. */
  setGlobal(global: Section): void {
    this.global = { ...this.global, ...global };
  }

  /**
   * Puts a new adapter into all modules that its section means, with new weights, enabled unless the section says
   * otherwise.
   * @param fullName the name, or `module:name` for one module, as NeMo writes it
   * @param config the adapter's section, with `_target_`
   * @throws AnemoneError(s) `adapter.*`, `config.*`, `container.*`
   */
  add(fullName: string, config: Section): void {
    const { module, name } = split(String(fullName));
    const path = `adapters.${name}`;
    requireMapping(config, path);
    if (this.entries.has(name)) {
      throw new AnemoneError({
        code: 'adapter.exists',
        path,
        message: `there is an adapter "${name}" already`,
      });
    }
    if (name === '' || name === GLOBAL_CONFIG || name.includes('.')) {
      throw new AnemoneError({
        code: 'adapter.name',
        path,
        message: `"${name}" cannot be an adapter's name`,
      });
    }
    const { components } = this.container;
    const writtenSection = components.recall(config as ConfigNode, adapterKind.kind)
      ? (config as ConfigNode)
      : placed(name, config);
    const descriptor = components.findFor(writtenSection, adapterKind.kind, '_target_', undefined, path);
    const key = widthKey(descriptor);
    const isLowRank = 'target_modules' in descriptor.schema.fields;
    const targets = isLowRank
      ? (this.container.instantiate(writtenSection, adapterKind) as LowRankAdapter).config
      : undefined;
    const slots = this.placesOf({ module, targets }, path);
    for (const slot of slots) {
      const width = key === undefined ? {} : { [key]: slot.width };
      slot.add(name, this.container.instantiate(writtenSection, adapterKind, { with: width }));
    }
    const { enabled = true, ...rest } = resolveConfig(writtenSection) as Section;
    const keptSection = keptConfig(rest, descriptor, slots.at(-1)?.width ?? -1);
    this.entries.set(name, { module, config: keptSection, enabled: true, slots, targets });
    this.enable(name, enabled === true);
  }

  /**
   * Whether an adapter takes part in forward passes from now on.
   * @param name without one, all of them
   * @throws AnemoneError `adapter.unknown`
   */
  enable(name: string | undefined, enabled: boolean): void {
    for (const [known, entry] of name === undefined ? this.entries : [this.find(name)]) {
      entry.enabled = enabled;
      for (const slot of entry.slots) slot.enable(known, enabled);
    }
  }

  /** Makes the enabled adapters trainable; all else is left as it is. @throws AnemoneError `adapter.unknown` */
  unfreezeEnabled({ freezeBatchNorm = true }: UnfreezeOptions = {}): void {
    if (freezeBatchNorm) {
      for (const module of this.model.modules()) {
        if (!(module instanceof BatchNorm)) continue;
        module.frozen = true;
        module.freeze();
      }
    }
    for (const name of this.enabled) for (const [, module] of this.modulesOf(name)) module.unfreeze();
  }

  /** The adapter of this name in each module that has it. @throws AnemoneError `adapter.unknown` */
  modulesOf(name: string): (readonly [AdapterPlace, Module])[] {
    const [known, { slots }] = this.find(name);
    return slots.map((slot) => [slot, slot.get(known) as Module]);
  }

  /** Its linear maps and low-rank adapters. @throws AnemoneError `adapter.unknown`, `adapter.no-merge` for other kinds */
  mapsOf(name: string): readonly (readonly [LinearPlace, LowRankAdapter])[] {
    const [known, { slots }] = this.find(name);
    return slots.map((slot) => {
      if (slot instanceof LinearPlace) return [slot, slot.get(known) as LowRankAdapter] as const;
      throw new AnemoneError({
        code: 'adapter.no-merge',
        path: known,
        message: 'this adapter is no product of two maps beside a linear one',
        hint: 'LoRA is',
      });
    });
  }

  /**
   * Adds a low-rank adapter to the weights of the maps beside which it stands, and takes it away.
   * @throws AnemoneError `adapter.unknown`, `adapter.no-merge`
   */
  async merge(fullName: string, engine: Pick<Engine, 'read' | 'write'>): Promise<void> {
    const [name] = this.find(fullName);
    for (const [place, adapter] of this.mapsOf(name)) {
      await mergeInto(place.map, adapter, engine);
      place.remove(name);
    }
    this.entries.delete(name);
  }

  /** `module:name`, as NeMo writes it. @throws AnemoneError `adapter.unknown` */
  fullName(name: string): string {
    const [known, { module }] = this.find(name);
    return module === '' ? known : `${module}:${known}`;
  }

  private find(fullName: string): readonly [string, Entry] {
    const { name } = split(fullName);
    const entry = this.entries.get(name);
    if (entry) return [name, entry];
    throw new AnemoneError({
      code: 'adapter.unknown',
      path: name,
      message: 'the model has no adapter of this name',
      hint:
        didYouMean(name, this.names) ??
        (this.names.length > 0 ? `it has ${this.names.join(', ')}` : undefined),
    });
  }

  private placesOf({ module, targets }: Pick<Entry, 'module' | 'targets'>, path: string): AdapterPlace[] {
    if (!targets) return modulesOf(module).flatMap((place) => this.slotsOf(place, path));
    // Where there is no encoder, as in a language model, the whole network is meant.
    const roots = module === '' && !this.partOf('encoder') ? [this.model] : modulesOf(module).map((place) => this.partOf(place) ?? noPart(place, path)); // biome-ignore format: one line
    return adaptedMaps(roots, targets, path).map(({ map, parts }) => new LinearPlace(map, parts));
  }

  private partOf(place: string): Module | undefined {
    return (this.model as unknown as Readonly<Record<string, Module | undefined>>)[place];
  }

  private slotsOf(place: string, path: string): AdapterSlot[] {
    const module = this.partOf(place);
    const slots = [...(module?.modules() ?? [])].filter((part) => part instanceof AdapterSlot);
    if (slots.length > 0) return slots;
    if (!module) return noPart(place, path);
    throw new AnemoneError({
      code: 'adapter.no-place',
      path,
      message: `${module.constructor.name} takes no adapters`,
      hint: `${PLACES}; LoRA goes beside any linear map`,
    });
  }
}

const PLACES =
  'adapters go into ConformerEncoder, SqueezeformerEncoder, ConvASREncoder, RNNTDecoder, RNNTJoint and ConvASRDecoder';

function noPart(place: string, path: string): never {
  throw new AnemoneError({
    code: 'adapter.no-place',
    path,
    message: `this model has no ${place} to put an adapter into`,
    hint: PLACES,
  });
}

/** A section that a program gives, at its place in a config. */
function placed(name: string, config: Section): ConfigNode {
  const { model } = configFromValues({ model: { adapters: { [name]: config } } });
  return (model['adapters'] as ConfigNode)[name] as ConfigNode;
}

/** `module:name`; NeMo lets names hold further colons. */
function split(fullName: string): { module: string; name: string } {
  const colon = fullName.indexOf(':');
  const module = colon < 0 ? '' : fullName.slice(0, colon);
  const unknownPlace = module
    .split('+')
    .find((place) => place !== '' && !MODULES.some((knownPlace) => knownPlace === place));
  if (unknownPlace === undefined) return { module, name: fullName.slice(colon + 1) };
  throw new AnemoneError({
    code: 'adapter.module',
    path: fullName,
    message: `"${unknownPlace}" is no module for adapters`,
    hint: didYouMean(unknownPlace, MODULES) ?? `use ${MODULES.join(', ')}, or several joined by +`,
  });
}

/** In the order of the model's modules, which is that of files of adapters. */
function modulesOf(module: string): readonly string[] {
  const places = module.split('+').map((place) => (place === '' ? 'encoder' : place));
  return MODULES.filter((place) => places.includes(place));
}
