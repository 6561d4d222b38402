// Whether a config describes a network: what differs between it and the one that the config makes.
import type { NetworkOptions } from './network.js';

/** What does not change what a trained network computes. */
const OF_TRAINING = ['initStd', 'scalesInit', 'hiddenDropout', 'attentionDropout', 'innerDropout'];

/** An option of two networks that differs, as texts; undefined where they compute the same. */
export interface NetworkDifference {
  readonly key: string;
  readonly ours: string | undefined;
  readonly theirs: string | undefined;
}

/** @param ignored options that may differ besides those of training */
export function networkDifference(
  ours: NetworkOptions,
  theirs: NetworkOptions,
  ignored: readonly (keyof NetworkOptions)[] = [],
): NetworkDifference | undefined {
  const [a, b] = [ours, theirs].map((options) => compared(options, [...OF_TRAINING, ...ignored]));
  const key = Object.keys({ ...a, ...b }).find((key) => a[key] !== b[key]);
  return key === undefined ? undefined : { key, ours: a[key], theirs: b[key] };
}

/** Values as texts, defaults written out, without those that do not matter. */
function compared(options: NetworkOptions, ignored: readonly string[]): Readonly<Record<string, string>> {
  const { bias } = options;
  const full = {
    order: 'pre_ln',
    normsOutputs: false,
    normsQueries: false,
    queryBias: bias,
    projectionBias: bias,
    ...definedOf(options),
  };
  const kept = Object.entries(full).filter(([key]) => !ignored.includes(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, JSON.stringify(plainValue(value))]));
}

function definedOf(options: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Keys in one order, defaults of rotary positions written out. */
function plainValue(value: unknown): unknown {
  if (typeof value === 'number') return Number(value.toPrecision(6));
  if (Array.isArray(value)) return value.map((each) => plainValue(each ?? null));
  if (typeof value !== 'object' || value === null) return value;
  const full = 'size' in value ? { base: 10000, percentage: 1, ...definedOf(value) } : definedOf(value);
  return Object.fromEntries(
    Object.entries(full)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, own]) => [key, plainValue(own)]),
  );
}
