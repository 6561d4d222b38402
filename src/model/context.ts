// What models are made in.
import { basename } from 'node:path';
import { type ConfigWarning, formatWarnings, type ParseOptions } from '../config/index.js';
import { type ComponentDescriptor, Container } from '../container/index.js';
import type { Engine } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import { readRegularFileSync } from '../formats/index.js';
import type { Module } from '../nn/index.js';
import type { ReadFile } from '../text/index.js';
import { checkSize } from './model-size.js';

/** What a model needs besides its configuration. A Trainer fits this interface. */
export interface ModelContext {
  /** Seed of the initial weights and of the data's order and augmentation. Default 0. */
  readonly seed?: number | undefined;
  /** Knows the components that the configuration may name. Default: those of this library. */
  readonly container?: Container | undefined;
  /** Holds the weights; `transcribe` runs on it unless told otherwise. */
  readonly engine?: Engine | undefined;
  /** Files from a checkpoint, which take the place of those on disk: of one language LANG/NAME, else with the same base name. */
  readonly artifacts?: ReadonlyMap<string, Uint8Array> | undefined;
  /**
   * Whether a file comes from `artifacts` alone: a stranger's archive must not name files of this machine. Default:
   * none does.
   */
  readonly sealed?: ((path: string) => boolean) | undefined;
  /** Gets a line for the user at a time. Default: the view's `say`, else nobody. */
  readonly log?: ((line: string) => void) | undefined;
  /** Gets the keys that have no effect, instead of the log. */
  readonly warnings?: ConfigWarning[] | undefined;
  /** A trainer's. */
  readonly view?: { say(text: string): void } | undefined;
}

/** The context's container, or one that knows the components given. */
export function containerOf(context: ModelContext, components: readonly ComponentDescriptor[]): Container {
  return context.container ?? new Container().registerAll(components);
}

/** A checked mapping, of a config or of a component in it. */
export type Section = Readonly<Record<string, unknown>>;

/**
 * Makes a model, puts its section's adapters in, freezes what its section says, and tells the log which keys of it had no
 * effect.
 * @param components what the section may name, where the context has no container
 */
export function buildModel<T extends Module & { readonly config: Section; setUpAdapters(): void }>(
  context: ModelContext,
  components: readonly ComponentDescriptor[],
  make: (own: ModelContext, options: ParseOptions) => T,
): T {
  const container = containerOf(context, components);
  const { components: lookup, warnings } = container;
  const known = warnings.length;
  const model = make(ownContext(context, container), { lookup, warnings });
  checkSize(model, { path: 'model' });
  model.setUpAdapters();
  const frozen = model.config['freeze'];
  if (Array.isArray(frozen) && frozen.length > 0) model.freeze(...(frozen as string[]));
  const fresh = warnings.slice(known);
  if (context.warnings) context.warnings.push(...fresh);
  else if (fresh.length > 0) logOf(context)?.(formatWarnings(fresh));
  return model;
}

function logOf({ log, view }: ModelContext): ((line: string) => void) | undefined {
  return log ?? (view ? (line) => view.say(line) : undefined);
}

/** A trainer is much more than a context; this keeps the context's keys, and asks for the engine when needed. */
export function ownContext(context: ModelContext, container: Container): ModelContext {
  return {
    container,
    seed: context.seed,
    artifacts: context.artifacts,
    warnings: context.warnings,
    sealed: context.sealed,
    log: logOf(context),
    get engine() {
      return context.engine;
    },
  };
}

/** Of one file: language models have gigabytes. */
const MAX_BYTES = 2 ** 32;

/**
 * Reads files of a config: from the context's artifacts first, then from disk where the context allows it.
 * @throws AnemoneError `asr.sealed` for a file that a stranger's archive may not name; `file.*` for one that cannot
 *   be read
 */
export function fileReader({ artifacts, sealed }: ModelContext): ReadFile {
  return (path, name) => {
    // Base names are not enough where each language has a folder of its own.
    const own = name?.includes('/') ? artifacts?.get(name) : undefined;
    const bytes = own ?? artifacts?.get(basename(path));
    if (bytes) return bytes;
    if (sealed?.(path)) {
      throw new AnemoneError({
        code: 'asr.sealed',
        message: 'the archive has no such file, and it may not name files of this machine',
        position: { file: path },
        hint: 'name the file yourself, as key=value',
      });
    }
    return readRegularFileSync(path, { maxBytes: MAX_BYTES });
  };
}
