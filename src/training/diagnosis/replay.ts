// Repeats a step that training wrote down and explains it again.
import type { Engine } from '../../engine/index.js';
import type { TrainableModel } from '../../model/index.js';
import { engineFor } from '../precision.js';
import { likelyCauses } from './causes.js';
import { type Diagnosis, diagnose } from './diagnose.js';
import { dumpRandom, restoreDump, type StepDump } from './dump.js';
import { explain } from './explanation.js';

/** A repeated step and its explanation. */
export interface Replay {
  readonly diagnosis: Diagnosis;
  /** What was printed when training stopped, from this run's measurements. */
  readonly text: string;
}

/**
 * Runs the step of a dump again and explains it.
 * @param source folder of the dump, for messages
 */
export async function replay(
  dump: StepDump,
  model: TrainableModel,
  engine: Engine,
  source: string,
): Promise<Replay> {
  await restoreDump(dump, model, engine, source);
  const { record, inputs } = dump;
  const computing = engineFor(record.precision ?? '32-true', engine);
  const diagnosis = await diagnose(model, computing, inputs, dumpRandom(record), record.lossScale);
  const causes = likelyCauses({ ...record, diagnosis, inputs, texts: record.texts ?? undefined });
  return { diagnosis, text: explain({ ...record, causes }, diagnosis) };
}
