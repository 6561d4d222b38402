// The folder of a run.
import { token } from '../container/index.js';

/** Where the files of a run go: checkpoints, logs, dumps of steps that failed. */
export interface RunFolder {
  /** Undefined until `expManager` has made one; dumps then go to the current folder. */
  readonly path: string | undefined;
}

/** Default, with a Trainer: the folder that `expManager` makes of its config. One that has a path is used instead. */
export const RUN_FOLDER = token<RunFolder>(
  'run-folder',
  undefined,
  'a Trainer has one; pass the model a trainer, or register one',
);
