// Prefix beam search of CTC (Hannun et al. 2014): sums the probabilities of all paths of a token sequence, split
// by whether they end in blank. On the host, for one utterance.
import type { Hypothesis } from '../../generation/index.js';
import type { FusionState, TokenFusion } from './fusion/token-fusion.js';

/** How wide the search is and what is added to its scores. */
export interface CtcBeamOptions {
  readonly beamSize: number;
  /** Prefixes this far below the best are dropped. */
  readonly threshold: number;
  /** Added for each token. */
  readonly beta: number;
  /** Language models and boosted phrases. Default: none. */
  readonly fusion?: TokenFusion | undefined;
}

/** Log-probabilities of one utterance. */
export interface CtcFrames {
  /** Log-probabilities [T,V+1] from `offset` on, blank last. */
  readonly logProbabilities: Float32Array;
  readonly offset: number;
  readonly classes: number;
  readonly length: number;
}

const never = Number.NEGATIVE_INFINITY;

/** The single most probable path to a prefix: where it emitted the tokens, newest first. */
interface BestPath {
  readonly score: number;
  readonly emitted: Emission | undefined;
}

interface Emission {
  readonly frame: number;
  readonly before: Emission | undefined;
}

/** Log-probability of all paths that end in one way, and the best of them. */
interface Ending {
  sum: number;
  best: BestPath;
}

interface CtcPrefix {
  readonly token: number;
  readonly parent: CtcPrefix | undefined;
  readonly length: number;
  readonly children: Map<number, CtcPrefix>;
  /** What fusion and token bonus add to the paths' probability. */
  readonly bonus: number;
  readonly fusion: FusionState | undefined;
  /** Paths that end in blank, and in the token. */
  blank: Ending;
  label: Ending;
  /** The same of the next frame, while it is made. */
  nextBlank: Ending;
  nextLabel: Ending;
}

/** All prefixes in the beam at the end, best first. Their scores are those of the paths plus bonuses. */
export function ctcBeamSearch(frames: CtcFrames, options: CtcBeamOptions): Hypothesis[] {
  const { logProbabilities, offset, classes, length } = frames;
  const blank = classes - 1;
  const root = prefix(-1, undefined, 0, options.fusion?.start());
  root.blank = { sum: 0, best: { score: 0, emitted: undefined } };
  let beam = [root];
  for (let t = 0; t < length; t++) {
    const at = offset + t * classes;
    const touchedPrefixes = new Set<CtcPrefix>();
    // A token so improbable that it would fall out of the beam at once need not be tried.
    let bestTotal = never;
    for (let k = 0; k < classes; k++) bestTotal = Math.max(bestTotal, logProbabilities[at + k]);
    const leastTotal = bestTotal - options.threshold;
    for (const from of beam) {
      const all = join(from.blank, from.label);
      touchedPrefixes.add(from);
      from.nextBlank = join(from.nextBlank, moved(all, logProbabilities[at + blank]));
      if (from.parent) {
        from.nextLabel = join(from.nextLabel, moved(from.label, logProbabilities[at + from.token]));
      }
      for (let token = 0; token < blank; token++) {
        const value = logProbabilities[at + token];
        if (value < leastTotal) continue;
        // The same token again is a new one only after a blank.
        const paths = token === from.token ? from.blank : all;
        if (paths.sum === never) continue;
        const child = extend(from, token, options);
        touchedPrefixes.add(child);
        child.nextLabel = join(child.nextLabel, moved(paths, value, t));
      }
    }
    beam = survivors([...touchedPrefixes], options);
  }
  return beam.map((prefix) => hypothesis(prefix)).sort((a, b) => b.score - a.score);
}

const nothing: Ending = { sum: never, best: { score: never, emitted: undefined } };

function join(a: Ending, b: Ending): Ending {
  if (a.sum === never) return b;
  if (b.sum === never) return a;
  return { sum: addLog(a.sum, b.sum), best: b.best.score > a.best.score ? b.best : a.best };
}

/** One frame on; with `emits` a token comes in there. */
function moved({ sum, best }: Ending, value: number, emits?: number): Ending {
  const emitted = emits === undefined ? best.emitted : { frame: emits, before: best.emitted };
  return { sum: sum + value, best: { score: best.score + value, emitted } };
}

function prefix(
  token: number,
  parent: CtcPrefix | undefined,
  bonus: number,
  fusion: FusionState | undefined,
): CtcPrefix {
  return {
    token,
    parent,
    length: parent ? parent.length + 1 : 0,
    children: new Map(),
    bonus,
    fusion,
    blank: nothing,
    label: nothing,
    nextBlank: nothing,
    nextLabel: nothing,
  };
}

function extend(from: CtcPrefix, token: number, { beta }: CtcBeamOptions): CtcPrefix {
  let child = from.children.get(token);
  if (!child) {
    const next = from.fusion?.after(token);
    child = prefix(token, from, from.bonus + beta + (next?.score ?? 0), next);
    from.children.set(token, child);
  }
  return child;
}

/** The best of those touched, moved on to the next frame; the others forget their probabilities. */
function survivors(
  touchedPrefixes: readonly CtcPrefix[],
  { beamSize, threshold }: CtcBeamOptions,
): CtcPrefix[] {
  for (const prefix of touchedPrefixes) {
    prefix.blank = prefix.nextBlank;
    prefix.label = prefix.nextLabel;
    prefix.nextBlank = nothing;
    prefix.nextLabel = nothing;
  }
  const sortedPrefixes = [...touchedPrefixes].sort((a, b) => total(b) - total(a));
  const leastTotal = total(sortedPrefixes[0]) - threshold;
  const keptPrefixes = sortedPrefixes.slice(0, beamSize).filter((prefix) => total(prefix) >= leastTotal);
  for (const prefix of sortedPrefixes.slice(keptPrefixes.length)) {
    prefix.blank = nothing;
    prefix.label = nothing;
  }
  return keptPrefixes;
}

function total({ blank, label, bonus }: CtcPrefix): number {
  return join(blank, label).sum + bonus;
}

function hypothesis(prefix: CtcPrefix): Hypothesis {
  const tokens: number[] = [];
  const frames: number[] = [];
  for (let at: CtcPrefix = prefix; at.parent; at = at.parent) tokens.push(at.token);
  const { emitted } = join(prefix.blank, prefix.label).best;
  for (let at = emitted; at; at = at.before) frames.push(at.frame);
  const end = prefix.fusion?.end ?? 0;
  return { tokens: tokens.reverse(), frames: frames.reverse(), score: total(prefix) + end };
}

/** Of finite numbers. */
function addLog(a: number, b: number): number {
  const high = Math.max(a, b);
  return high + Math.log1p(Math.exp(Math.min(a, b) - high));
}
