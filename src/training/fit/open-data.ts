// The data of a fit, all of it opened before the first step: what is wrong with a test set should not show after hours of
// training.
import { throwAll } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { BatchSource, DataLimits, TrainableModel } from '../../model/index.js';

/** One set or several. */
export type Sources = BatchSource | readonly BatchSource[];

/** Data that a program gives, instead of that of the model's config. */
export interface GivenData {
  readonly train?: BatchSource;
  readonly validation?: Sources;
  readonly test?: Sources;
}

export interface FitData {
  /** Undefined where none is named. */
  readonly train: BatchSource | undefined;
  readonly validation: readonly BatchSource[];
  readonly test: readonly BatchSource[];
}

/**
 * Opens what the model's config names and the program does not give.
 * @throws AnemoneError, AnemoneErrors `data.unusable` of all sets that cannot be opened; none is left open then
 */
export async function openData(
  model: TrainableModel,
  givenData: GivenData,
  limits: DataLimits = {},
): Promise<FitData> {
  const errors: AnemoneError[] = [];
  const opened: BatchSource[] = [];
  const open = async (sources: Promise<readonly BatchSource[]>): Promise<readonly BatchSource[]> => {
    try {
      const foundSources = await sources;
      opened.push(...foundSources);
      return foundSources;
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      errors.push(error);
      return [];
    }
  };
  const train = givenData.train ?? (await open(trainingSource(model, limits))).at(0);
  const validation = givenData.validation
    ? listOf(givenData.validation)
    : await open(model.validationSources());
  const test = givenData.test ? listOf(givenData.test) : await open(testSources(model, givenData));
  if (errors.length > 0) for (const source of opened) await source.close();
  throwAll('data.unusable', `${errors.length} data sets cannot be used:`, errors);
  return { train, validation, test };
}

export function listOf(sources: Sources): readonly BatchSource[] {
  return 'batchesInEpoch' in sources ? [sources] : sources;
}

async function trainingSource(model: TrainableModel, limits: DataLimits): Promise<readonly BatchSource[]> {
  const source = await model.trainingSource(limits);
  return source ? [source] : [];
}

/** Who gives the training data does not train on the config's, and may have no use for its test set. */
async function testSources(model: TrainableModel, givenData: GivenData): Promise<readonly BatchSource[]> {
  return givenData.train || model.testsOwnData === false ? [] : model.testSources();
}
