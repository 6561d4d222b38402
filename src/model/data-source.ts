// What a data section of a config names by `_target_`: something that opens batches for a model.
import { defineKind } from '../container/index.js';
import type { BatchSource } from './trainable-model.js';

/** What any data source is told when it is opened. Models add what else their sources need. */
export interface SourceContext {
  /** Key of the section, for messages and metrics: `train_ds`. */
  readonly name: string;
  /** Whether a model is trained on the batches: then they are shuffled and augmented. */
  readonly training: boolean;
  /** The run's. Order, and whatever else is drawn, is a function of it and the epoch. */
  readonly seed: number;
  /** A line for the person who watches. */
  log(line: string): void;
}

/** What was opened: for training one source; for evaluation any number; undefined where there is nothing to read. */
export type OpenedSources = BatchSource | readonly BatchSource[] | undefined;

/**
 * A data set that a config describes, `train_ds: {_target_: MySource, …}`.
 * @typeParam C what the models that it is for give it, such as `SpeechContext`
 */
export interface DataSource<C extends SourceContext = SourceContext> {
  /** Called once for each section that names it, before the first step. */
  open(context: C): OpenedSources | Promise<OpenedSources>;
}

/** Data sources as a kind of component: what `_target_` of a data section may name. */
export const dataSourceKind = defineKind<DataSource>('data_source', 'a data source');

/** What a data source opens, as a list. */
export async function openSources<C extends SourceContext>(
  source: DataSource<C>,
  context: C,
): Promise<readonly BatchSource[]> {
  const openedSources = await source.open(context);
  if (openedSources === undefined) return [];
  return isList(openedSources) ? openedSources : [openedSources];
}

function isList(
  openedSources: BatchSource | readonly BatchSource[],
): openedSources is readonly BatchSource[] {
  return Array.isArray(openedSources);
}
