// Pictures a model may offer for the report of a run. The report draws them; it knows nothing of models.
import type { Engine } from '../engine/index.js';
import type { Batch } from './trainable-model.js';

/** A grid of values drawn as colours: a spectrogram, a lattice. */
export interface HeatMap {
  readonly title: string;
  /** What one sees, a sentence or two. */
  readonly caption: string;
  readonly rows: number;
  readonly columns: number;
  /** Row-major; row 0 is drawn at the bottom. Values that are not finite stay blank. */
  readonly values: Float32Array;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Names of the rows (tokens), when there are few. */
  readonly rowNames?: readonly string[];
  /** Drawn over the grid as a line through (column, row) points. */
  readonly path?: readonly (readonly [column: number, row: number])[];
}

/** What a model implements to have its pictures in the report. */
export interface ReportContributor {
  /**
   * The pictures, drawn with the weights that `engine` holds.
   * @param firstBatch makes the first batch of the validation set, for a model that has evaluated none yet
   */
  reportContributions(
    engine: Engine,
    firstBatch?: () => Promise<Batch | undefined>,
  ): Promise<readonly HeatMap[]>;
}

/** Whether a model has pictures for the report of a run. */
export function isReportContributor(model: object): model is ReportContributor {
  return 'reportContributions' in model && typeof model.reportContributions === 'function';
}
