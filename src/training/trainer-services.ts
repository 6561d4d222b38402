// The services of a trainer: what it is given wins over what is registered in its container, and this over what follows
// from its config.
import { type ConfigNode, type ConfigWarning, hasTarget, withPosition } from '../config/index.js';
import { CONFIG_WARNINGS, type Container, LOG, SEED } from '../container/index.js';
import { coresOfRank, placeOf } from '../distributed/index.js';
import { type CreateEngineOptions, createEngine, ENGINE, type Engine, engineKind } from '../engine/index.js';
import { engineFor } from './precision.js';
import { PROGRESS_VIEW, type ProgressView, QuietView, viewFor } from './progress/progress-view.js';
import { RUN_FOLDER } from './run-folder.js';
import type { TrainerOptions } from './trainer-options.js';

/** What a trainer is given beside its container. */
export interface GivenServices {
  /** Instead of the one `trainer.engine` names; the caller disposes it. */
  readonly engine?: Engine;
  /** Instead of a progress line on stderr. */
  readonly view?: ProgressView;
  /** Collects the keys of all sections that have no effect, for one list, instead of each section saying its own. */
  readonly warnings?: ConfigWarning[];
}

/** Where defaults come from. They are asked for when all of it is there. */
export interface DefaultSources {
  readonly trainer: { readonly options: TrainerOptions; readonly view: ProgressView };
  /** Gets the engine that the trainer is to dispose. */
  readonly owns: (engine: Engine) => void;
  /** Writes a line to the log of the run's folder. */
  readonly keep: (text: string) => void;
  readonly folder: () => string | undefined;
}

/** A scope of the container with the services of one trainer. */
export function trainerServices(
  container: Container,
  givenServices: GivenServices,
  { trainer, owns, keep, folder }: DefaultSources,
): Container {
  const scope = container.scope();
  const { engine, warnings } = givenServices;
  // Rank 0 speaks for all.
  const isSilent = placeOf().rank > 0;
  const view = isSilent ? new QuietView(() => {}) : givenServices.view;
  const ofPrecision = (made: Engine) => engineFor(trainer.options.precision, made);
  if (engine) scope.registerFactory(ENGINE, () => ofPrecision(engine));
  else if (container.isRegistered(ENGINE)) scope.registerFactory(ENGINE, () => ofPrecision(container.resolve(ENGINE))); // biome-ignore format: one line reads better
  if (view) scope.registerValue(PROGRESS_VIEW, view);
  if (warnings) scope.registerValue(CONFIG_WARNINGS, (newWarnings) => void warnings.push(...newWarnings));
  if (isSilent) {
    scope.registerValue(LOG, () => {});
    scope.registerValue(CONFIG_WARNINGS, () => {});
  } else if (container.isRegistered(LOG)) {
    scope.registerFactory(LOG, () => {
      const log = container.resolve(LOG);
      return (text) => {
        log(text);
        keep(text);
      };
    });
  }
  return scope
    .registerDefault(ENGINE, () => {
      const { engine: options } = trainer.options;
      const madeEngine = withPosition(options, () => engineOf(options, scope));
      owns(madeEngine);
      return ofPrecision(madeEngine);
    })
    .registerDefault(SEED, () => trainer.options.seed)
    .registerDefault(PROGRESS_VIEW, () => viewFor(process.stderr, trainer.options.enable_progress_bar))
    .registerDefault(LOG, () => (text) => trainer.view.say(text))
    .registerDefault(RUN_FOLDER, () => ({
      get path() {
        return folder();
      },
    }));
}

/** The engine that `trainer.engine` names: one of the library's, or a component. */
function engineOf(options: ConfigNode, container: Container): Engine {
  if (hasTarget(options)) return container.instantiate(options, engineKind);
  // Ranks of one machine share its cores.
  const threads =
    placeOf().localSize > 1 && options['threads'] === undefined ? { threads: coresOfRank() } : {};
  return createEngine({ ...(options as CreateEngineOptions), ...threads });
}
