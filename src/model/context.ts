// What a caller may give a model besides its configuration, and the container that it becomes: below the doors
// (`fromConfig`, `createModel`, `restoreModel`) only the container travels.
import type { ConfigWarning, ParseOptions } from '../config/index.js';
import {
  CONFIG_WARNINGS,
  type ComponentDescriptor,
  Container,
  LOG,
  READ_FILE,
  SEED,
  warningsInLog,
} from '../container/index.js';
import { ENGINE, type Engine } from '../engine/index.js';
import type { Module } from '../nn/index.js';
import { MODEL_FILES, ModelFiles } from './model-files.js';
import { checkSize } from './model-size.js';

/** Services of one model. What is given here wins over what is registered in the container. A Trainer fits. */
export interface ModelServices {
  /** Seed of the initial weights and of the data's order and augmentation. Default: that of the container, or 0. */
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
  /** Gets a line for the user at a time. Default: the view's `say`, else the container's log, or nobody. */
  readonly log?: ((line: string) => void) | undefined;
  /** Gets the keys that have no effect, instead of the log. */
  readonly warnings?: ConfigWarning[] | undefined;
  /** Says what the log would. */
  readonly view?: { readonly say: (text: string) => void } | undefined;
  /** A Trainer's, from which everything comes that is not given beside it. */
  readonly services?: Container | undefined;
}

/** What a model is made in: a Trainer, services by name, or a container that has them. */
export type ModelContext = ModelServices | Container;

/**
 * The container of one model: the one given, or a scope of it with what else is given.
 * @param components what the configuration may name, where no container is given
 */
export function modelScope(context: ModelContext, components: readonly ComponentDescriptor[]): Container {
  if (context instanceof Container) return context;
  const { container = new Container().registerAll(components), services = container } = context;
  const scope = services.scope(container.components);
  // A Trainer's own getters are what its services say.
  const givenServices: ModelServices = context.services ? { ...context } : context;
  if (givenServices.seed !== undefined) scope.registerValue(SEED, givenServices.seed);
  if (givenServices.engine) scope.registerValue(ENGINE, givenServices.engine);
  tellOf(givenServices, scope);
  if (givenServices.artifacts || givenServices.sealed) {
    useFiles(
      scope,
      new ModelFiles(services.resolve(READ_FILE), givenServices.artifacts, givenServices.sealed),
    );
  }
  return scope;
}

/** Who is told. */
function tellOf({ log, view, warnings }: ModelServices, scope: Container): void {
  const lineListener = log ?? (view && ((line: string) => view.say(line)));
  if (lineListener) scope.registerValue(LOG, lineListener);
  if (warnings) scope.registerValue(CONFIG_WARNINGS, (newWarnings) => void warnings.push(...newWarnings));
  else if (lineListener) scope.registerValue(CONFIG_WARNINGS, warningsInLog(lineListener));
}

/** What a model of this scope reads its files from. */
export function useFiles(scope: Container, files: ModelFiles): Container {
  return scope.registerValue(MODEL_FILES, files).registerValue(READ_FILE, files.read);
}

/** A checked mapping, of a config or of a component in it. */
export type Section = Readonly<Record<string, unknown>>;

/** What `buildModel` finishes after the constructor; every `Model` fits. */
interface BuiltModel extends Module {
  readonly config: Section;
  /** Puts in the adapters that the section names. */
  setUpAdapters(): void;
}

/**
 * Makes a model, puts its section's adapters in, freezes what its section says, and tells which keys of it had no effect.
 * @param components what the section may name, where the context has no container
 * @param make the model in the scope it is given
 */
export function buildModel<T extends BuiltModel>(
  context: ModelContext,
  components: readonly ComponentDescriptor[],
  make: (scope: Container, options: ParseOptions) => T,
): T {
  const scope = modelScope(context, components);
  const { components: lookup, warnings } = scope;
  const knownCount = warnings.length;
  const model = make(scope, { lookup, warnings });
  checkSize(model, { path: 'model' });
  model.setUpAdapters();
  const frozen = model.config['freeze'];
  if (Array.isArray(frozen) && frozen.length > 0) model.freeze(...(frozen as string[]));
  scope.resolve(CONFIG_WARNINGS)(warnings.slice(knownCount));
  return model;
}
