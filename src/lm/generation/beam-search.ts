// Beam search as transformers does it (`GenerationMixin._beam_search`): the likeliest continuations of all beams go on, those
// that end are kept by Σ log-probability / length^penalty, and the search ends when none that goes on can become better.

import { nextTurn, throwIfCancelled } from '../../engine/index.js';
import type { CacheRunner } from './cache-runner.js';
import type { WritingContext } from './growing-text.js';
import { likeliest, logSumExp } from './likeliest.js';
import type { Generated } from './options.js';
import { stopIn, WrittenText } from './written-text.js';

/** A text that goes on. */
interface Beam {
  readonly tokens: readonly number[];
  /** Σ log-probabilities. */
  readonly sum: number;
}

/** A text that is whole. */
interface Whole {
  readonly tokens: readonly number[];
  readonly score: number;
  readonly reason: Generated['reason'];
}

/** A beam with one more token. */
interface Candidate extends Beam {
  readonly from: number;
  readonly id: number;
}

/** What is searched. */
interface Search {
  readonly context: WritingContext;
  readonly prompt: readonly number[];
  readonly most: number;
  readonly beams: number;
}

/**
 * The likeliest texts after a prompt, the best first, as many as `samples`.
 * @param most new tokens
 */
export async function beamSearch(
  runner: CacheRunner,
  context: WritingContext,
  prompt: readonly number[],
  most: number,
): Promise<Generated[]> {
  const { options } = context;
  const { numBeams = 1, samples = 1, signal } = options;
  const search: Search = { context, prompt, most, beams: numBeams };
  const { sequences, logits } = await runner.start([prompt], prompt.length + most, signal);
  sequences.reorder(new Array(numBeams).fill(0));
  let running: readonly Beam[] = [{ tokens: [], sum: 0 }];
  let whole: readonly Whole[] = [];
  let current = logits;
  for (;;) {
    throwIfCancelled(signal);
    const candidates = continuations(running, current, search, runner.network.options.vocabulary);
    const ended = new Map(candidates.map((candidate) => [candidate, endOf(candidate, search)]));
    whole = kept(whole, candidates.slice(0, numBeams), ended, search);
    const next = candidates.filter((candidate) => !ended.get(candidate)).slice(0, numBeams);
    if (next.length === 0 || isSettled(next[0], whole, search)) break;
    // Impossible continuations keep their places among the rows.
    const rows = Array.from({ length: numBeams }, (_, i) => next[Math.min(i, next.length - 1)]);
    sequences.reorder(rows.map(({ from }) => from));
    running = next;
    current = await sequences.advance(
      rows.map(({ id }) => id),
      undefined,
      signal,
    );
    await nextTurn();
  }
  return whole.slice(0, samples).map((text) => generated(text, search));
}

/** Twice as many as beams, so that enough go on if the first all end: by the sum, then by beam and token. */
function continuations(
  running: readonly Beam[],
  logits: Float32Array,
  { context, beams }: Search,
  vocabulary: number,
): Candidate[] {
  const { ends, options } = context;
  const { minTokens = 0 } = options;
  const count = Math.max(2, 1 + ends.length) * beams;
  const all = running.flatMap(({ tokens, sum }, from) => {
    const own = logits.slice(from * vocabulary, (from + 1) * vocabulary);
    const total = logSumExp(own);
    // As in transformers, what may not come yet keeps its share of the probability.
    if (tokens.length < minTokens) for (const end of ends) own[end] = Number.NEGATIVE_INFINITY;
    own.fill(Number.NEGATIVE_INFINITY, context.tokenizer.vocabSize);
    const highest = own.reduce((a, b) => Math.max(a, b));
    const ids = likeliest(own, highest, ({ length }) => length >= count).subarray(0, count);
    return [...ids].map((id) => ({ from, id, tokens: [...tokens, id], sum: sum + own[id] - total }));
  });
  return all.sort((a, b) => b.sum - a.sum || a.from - b.from || a.id - b.id).slice(0, count);
}

function endOf(
  { tokens, id }: Candidate,
  { context, prompt, most }: Search,
): Generated['reason'] | undefined {
  if (context.ends.includes(id)) return 'end';
  const { stop = [] } = context.options;
  if (stop.length > 0 && stopIn(textOf(tokens, context, prompt), stop, 0) >= 0) return 'stop';
  return tokens.length >= most ? 'length' : undefined;
}

/** The best whole texts, with those of the first candidates that ended now. */
function kept(
  whole: readonly Whole[],
  first: readonly Candidate[],
  ended: ReadonlyMap<Candidate, Generated['reason'] | undefined>,
  { context, beams }: Search,
): readonly Whole[] {
  const { lengthPenalty = 1, earlyStopping = false } = context.options;
  if (earlyStopping && whole.length >= beams) return whole;
  const added = first.flatMap((candidate) => {
    const reason = ended.get(candidate);
    const score = candidate.sum / candidate.tokens.length ** lengthPenalty;
    return reason ? [{ tokens: candidate.tokens, score, reason }] : [];
  });
  return [...whole, ...added].sort((a, b) => b.score - a.score).slice(0, beams);
}

/** Whether the best text that goes on is worse than all that are whole, as if it ended at its length now. */
function isSettled(best: Beam, whole: readonly Whole[], { context, beams }: Search): boolean {
  const { lengthPenalty = 1, earlyStopping = false } = context.options;
  if (whole.length < beams) return false;
  if (earlyStopping) return true;
  return best.sum / best.tokens.length ** lengthPenalty <= whole[whole.length - 1].score;
}

function generated({ tokens, score, reason }: Whole, { context, prompt }: Search): Generated {
  const kept = reason === 'end' ? tokens.slice(0, -1) : tokens;
  const { stop = [] } = context.options;
  const text = textOf(kept, context, prompt);
  const at = stopIn(text, stop, 0);
  return { text: at < 0 ? text : text.slice(0, at), tokens: kept, reason, score };
}

function textOf(tokens: readonly number[], { tokenizer }: WritingContext, prompt: readonly number[]): string {
  const written = new WrittenText(tokenizer, prompt);
  for (const id of tokens) written.add(id);
  return written.text + written.pending;
}
