// Leaves out utterances by duration and text, and says how many and how long. Order is kept.
import { AnemoneError } from '../../../errors/index.js';
import type { ManifestEntry } from './entry.js';

/** Keys as in NeMo's data sections; the two text bounds are ours. */
export interface FilterConfig {
  /** Seconds; shorter utterances are left out. */
  readonly min_duration?: number | null;
  /** Seconds; longer utterances are left out. */
  readonly max_duration?: number | null;
  /** Characters; shorter transcripts are left out. */
  readonly min_text_length?: number | null;
  /** Characters; longer transcripts are left out. */
  readonly max_text_length?: number | null;
  /** Keep at most this many, the first ones; 0 or null is all. */
  readonly max_utts?: number | null;
}

/** How many utterances were left out for one reason, and how long they are together. */
export interface Dropped {
  readonly count: number;
  readonly seconds: number;
}

/** Bounds of tokens a second; they are checked when the transcripts are encoded. */
export interface TokenRateConfig {
  readonly min_tps?: number | null;
  readonly max_tps?: number | null;
}

/** By the key that dropped them, in the order the filters run; keys that dropped nothing are absent. */
export type DroppedBy = ReadonlyMap<keyof FilterConfig | keyof TokenRateConfig, Dropped>;

/** What a filter let pass, and what it left out, by reason. */
export interface FilterReport {
  readonly kept: readonly ManifestEntry[];
  readonly keptSeconds: number;
  readonly dropped: DroppedBy;
}

/** An utterance is counted for the first filter that refuses it, in the order of `FilterConfig`. */
export function filterEntries(entries: readonly ManifestEntry[], config: FilterConfig): FilterReport {
  const minimum = config.min_duration ?? 0;
  const maximum = config.max_duration ?? Number.POSITIVE_INFINITY;
  const minText = config.min_text_length ?? 0;
  const maxText = config.max_text_length ?? Number.POSITIVE_INFINITY;
  const limit = config.max_utts ? config.max_utts : Number.POSITIVE_INFINITY;
  const keptEntries: ManifestEntry[] = [];
  const droppedBy = new Map<keyof FilterConfig, Dropped>();
  let keptSeconds = 0;
  for (const entry of entries) {
    const reason = refusal(entry);
    if (reason === undefined) {
      keptEntries.push(entry);
      keptSeconds += entry.duration;
      continue;
    }
    drop(droppedBy, reason, entry.duration);
  }
  return { kept: keptEntries, keptSeconds, dropped: droppedBy };

  function refusal(entry: ManifestEntry): keyof FilterConfig | undefined {
    if (entry.duration < minimum) return 'min_duration';
    if (entry.duration > maximum) return 'max_duration';
    if (minText > 0 || maxText < Number.POSITIVE_INFINITY) {
      const characters = [...entry.text].length;
      if (characters < minText) return 'min_text_length';
      if (characters > maxText) return 'max_text_length';
    }
    return keptEntries.length >= limit ? 'max_utts' : undefined;
  }
}

function drop<K>(droppedBy: Map<K, Dropped>, reason: K, duration: number): void {
  const { count, seconds } = droppedBy.get(reason) ?? { count: 0, seconds: 0 };
  droppedBy.set(reason, { count: count + 1, seconds: seconds + duration });
}

/** Places of the utterances whose tokens a second are within bounds, and what the bounds dropped. */
export function filterTokenRates(
  utterances: readonly { readonly seconds: number }[],
  encoded: readonly ArrayLike<number>[],
  { min_tps, max_tps }: TokenRateConfig,
): { readonly kept: readonly number[]; readonly dropped: DroppedBy } {
  const droppedBy = new Map<keyof TokenRateConfig, Dropped>();
  const keptIndices: number[] = [];
  for (const [i, { seconds }] of utterances.entries()) {
    const rate = encoded[i].length / seconds;
    if (rate < (min_tps ?? 0)) drop(droppedBy, 'min_tps', seconds);
    else if (rate > (max_tps ?? Number.POSITIVE_INFINITY)) drop(droppedBy, 'max_tps', seconds);
    else keptIndices.push(i);
  }
  return { kept: keptIndices, dropped: droppedBy };
}

/** `12 utterances (0.3 h) dropped by max_duration; …`, or undefined when nothing was dropped. */
export function describeDropped({ dropped }: Pick<FilterReport, 'dropped'>): string | undefined {
  if (dropped.size === 0) return undefined;
  return [...dropped]
    .map(([key, { count, seconds }]) => `${count} utterances (${formatHours(seconds)}) dropped by ${key}`)
    .join('; ');
}

/**
 * Throws where a filter left out everything.
 * @throws AnemoneError `data.all-filtered` when nothing is left
 */
export function requireSome(
  report: { readonly kept: readonly unknown[]; readonly dropped: DroppedBy },
  name: string,
): void {
  if (report.kept.length > 0) return;
  throw new AnemoneError({
    code: 'data.all-filtered',
    message: `no utterance is left: ${describeDropped(report) ?? 'the manifest is empty'}`,
    path: name,
    hint: 'loosen the filters or check the durations in the manifest',
  });
}

/** A duration for people: `1.25 h` from six minutes on, `42.0 s` below. */
export function formatHours(seconds: number): string {
  return seconds >= 360 ? `${(seconds / 3600).toFixed(2)} h` : `${seconds.toFixed(1)} s`;
}
