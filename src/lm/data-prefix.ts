// `data_prefix` of a language model: a path, paths, weights and paths in turn, or any of these by split.
import { AnemoneError } from '../errors/index.js';

export const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** Sets, and how often samples come from each; without weights as often as each has samples. */
export interface DataPrefix {
  readonly paths: readonly string[];
  readonly weights?: readonly number[];
}

const MOST_SETS = 256;

/** @throws AnemoneError `data.prefix` */
export function prefixesOf(written: unknown): Readonly<Partial<Record<Split, DataPrefix>>> {
  if (written === null || written === undefined) return {};
  if (typeof written !== 'object' || Array.isArray(written))
    return { train: prefixOf(written, 'data_prefix') };
  const prefixes: Partial<Record<Split, DataPrefix>> = {};
  for (const [key, value] of Object.entries(written)) {
    if (!(SPLITS as readonly string[]).includes(key))
      throw wrong(`data_prefix.${key}`, `expected ${SPLITS.join(', ')}`);
    if (value !== null) prefixes[key as Split] = prefixOf(value, `data_prefix.${key}`);
  }
  return prefixes;
}

function prefixOf(written: unknown, key: string): DataPrefix {
  const list = [written].flat() as unknown[];
  if (
    list.length === 0 ||
    list.some((entry) => typeof entry !== 'number' && (typeof entry !== 'string' || entry === ''))
  )
    // biome-ignore format: one line
    throw wrong(key, 'expected a path, a list of paths, or a list of weights and paths in turn');
  const weights = list.filter((_, i) => i % 2 === 0).map(weightOf);
  const isWeighted = list.length % 2 === 0 && weights.every((weight) => !Number.isNaN(weight));
  const paths = isWeighted ? list.filter((_, i) => i % 2 === 1) : list;
  if (paths.some((path) => typeof path !== 'string'))
    throw wrong(key, 'weights and paths come in turn', 'write [0.3, first, 0.7, second]');
  if (paths.length > MOST_SETS) throw wrong(key, `${paths.length} sets are more than ${MOST_SETS}`);
  if (!isWeighted) return { paths: paths as string[] };
  if (weights.some((weight) => !(weight >= 0)) || !weights.some((weight) => weight > 0))
    throw wrong(key, 'weights are numbers from 0 on, not all of them 0');
  // A set of weight 0 gives nothing.
  const isUsed = (_: unknown, i: number): boolean => weights[i] > 0;
  return { paths: (paths as string[]).filter(isUsed), weights: weights.filter(isUsed) };
}

/** NaN for what is no number. NeMo's configs write weights as texts, too. */
function weightOf(entry: unknown): number {
  if (typeof entry === 'number') return entry;
  return typeof entry === 'string' && /^\d*\.?\d+(e-?\d+)?$/i.test(entry) ? Number(entry) : Number.NaN;
}

function wrong(key: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'data.prefix', path: `model.data.${key}`, message, hint });
}
