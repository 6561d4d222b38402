// Learning a unigram model: begin with all repeated substrings, estimate their probabilities by expectation
// maximisation, drop those whose loss hurts the likelihood least, repeat until the vocabulary has its size.
// Source: Kudo 2018, as SentencePiece carries it out (its sparse prior by digamma, its pruning rule).
import type { Corpus } from './corpus.js';
import type { ResolvedTrainOptions } from './options.js';
import { byCount, compareCodePoints } from './order.js';
import { PieceLattice } from './piece-lattice.js';

const UNKNOWN_PENALTY = 10;
/** Pieces expected less often than this are dropped in an M step. */
const FREQUENCY_THRESHOLD = 0.5;
/** Sets required characters that got no probability apart from one another. */
const PENALTY_STEP = 0.0001;

/** Up to `room` pieces by falling score; fewer if the text does not hold so many. */
export function learnUnigram(
  corpus: Corpus,
  room: number,
  options: ResolvedTrainOptions,
  forbiddenPieces: ReadonlySet<string>,
): { piece: string; score: number }[] {
  const model = new UnigramModel(new PieceLattice(corpus, options, forbiddenPieces));
  options.onProgress?.({ stage: 'seed', pieces: model.size, lines: corpus.lines });
  const enough = Math.floor(options.vocabSize * 1.1);
  for (;;) {
    for (let i = 0; i < options.numSubIterations; i++) {
      model.expectationMaximization();
      options.onProgress?.({ stage: 'em', pieces: model.size, lines: corpus.lines });
    }
    if (model.size <= enough) break;
    const before = model.size;
    model.prune(Math.max(enough, Math.floor(options.shrinkingFactor * before)));
    if (model.size >= before) break; // nothing left that may go
  }
  return finalPieces(model, corpus, room, forbiddenPieces);
}

/** The required characters, then the best of the rest. */
function finalPieces(
  model: UnigramModel,
  corpus: Corpus,
  room: number,
  forbiddenPieces: ReadonlySet<string>,
): { piece: string; score: number }[] {
  const learned = model.pieces();
  const chosenPieces = new Map<string, number>();
  let penalty = 0;
  for (const [character] of corpus.requiredChars) {
    if (forbiddenPieces.has(character)) continue;
    const score = learned.get(character);
    if (score !== undefined) chosenPieces.set(character, score);
    else {
      chosenPieces.set(character, model.minScore + penalty);
      penalty += PENALTY_STEP;
    }
  }
  for (const [piece, score] of byCount(learned)) {
    if (chosenPieces.size >= room) break;
    if (!chosenPieces.has(piece)) chosenPieces.set(piece, score);
  }
  return [...chosenPieces]
    .map(([piece, score]) => ({ piece, score }))
    .sort((a, b) => b.score - a.score || compareCodePoints(a.piece, b.piece));
}

class UnigramModel {
  private readonly scores: Float64Array;
  size: number;
  minScore = 0;
  // Work space for one word: forward and backward sums, best path.
  private forward = new Float64Array(0);
  private backward = new Float64Array(0);
  private bestStart = new Int32Array(0);
  private bestPiece = new Int32Array(0);
  /**
   * The most frequent live character. Unknown characters count towards it, as in SentencePiece, whose
   * unknown id is 0 while training; pieces whose characters have died are judged by it in pruning.
   */
  private first = 0;

  constructor(private readonly lattice: PieceLattice) {
    this.size = lattice.pieceCount;
    let total = 0;
    for (const weight of lattice.weight) total += weight;
    this.scores = lattice.weight.map((weight) => Math.log(weight) - Math.log(total));
    this.refresh();
    let longest = 0;
    for (const length of lattice.wordLength) longest = Math.max(longest, length);
    this.forward = new Float64Array(longest + 1);
    this.backward = new Float64Array(longest + 1);
    this.bestStart = new Int32Array(longest + 1);
    this.bestPiece = new Int32Array(longest + 1);
  }

  pieces(): Map<string, number> {
    const pieces = new Map<string, number>();
    for (let id = 0; id < this.scores.length; id++) {
      if (this.lattice.alive[id]) pieces.set(this.lattice.piece(id), this.scores[id]);
    }
    return pieces;
  }

  /** One E step and one M step. */
  expectationMaximization(): void {
    const expectedCounts = new Float64Array(this.scores.length);
    const { wordAt, wordLength, wordCount } = this.lattice;
    for (let w = 0; w < wordAt.length; w++)
      this.expect(wordAt[w], wordLength[w], wordCount[w], expectedCounts);
    let sum = 0;
    for (let id = 0; id < expectedCounts.length; id++) {
      if (!this.lattice.alive[id]) continue;
      if (expectedCounts[id] < FREQUENCY_THRESHOLD) this.drop(id);
      else sum += expectedCounts[id];
    }
    const logSum = digamma(sum);
    for (let id = 0; id < expectedCounts.length; id++) {
      if (this.lattice.alive[id]) this.scores[id] = digamma(expectedCounts[id]) - logSum;
    }
    this.lattice.dropDead();
    this.refresh();
  }

  /** Keeps about `target` pieces: those whose absence would cost most. Source: Kudo 2018, section 3.2. */
  prune(target: number): void {
    const { lattice, scores } = this;
    const { alive, wordAt, wordLength, wordCount } = lattice;
    const count = scores.length;
    const frequency = new Float64Array(count);
    let words = 0;
    for (let w = 0; w < wordAt.length; w++) {
      words += wordCount[w];
      this.bestPath(wordAt[w], wordLength[w], -1);
      for (let end = wordLength[w]; end > 0; end = this.bestStart[end]) {
        frequency[this.bestPiece[end]] += wordCount[w];
      }
    }
    let sum = 0;
    for (const value of frequency) sum += value;
    const logSum = Math.log(sum);

    const candidates: { id: number; loss: number }[] = [];
    const keep = new Uint8Array(count);
    let keptPieces = 0;
    for (let id = 0; id < count; id++) {
      if (!alive[id] || frequency[id] === 0) continue;
      const length = lattice.pieceLength[id];
      if (length === 1) {
        keep[id] = 1;
        keptPieces++;
        continue;
      }
      // How the piece would be written without itself; if that is better anyway, it is not needed.
      const alternative = this.bestPath(lattice.pieceAt[id], length, id);
      if (alternative > scores[id]) continue;
      const parts: number[] = [];
      for (let end = length; end > 0; end = this.bestStart[end]) parts.push(this.bestPiece[end]);
      const logSumWithout = Math.log(sum + frequency[id] * (parts.length - 1));
      let without = 0;
      for (const part of parts) {
        without += Math.log(frequency[part] + frequency[id]) - logSumWithout;
      }
      const loss = (frequency[id] / words) * (Math.log(frequency[id]) - logSum - without);
      candidates.push({ id, loss });
    }
    candidates.sort((a, b) => b.loss - a.loss || a.id - b.id);
    for (const { id } of candidates) {
      if (keptPieces >= target) break;
      keep[id] = 1;
      keptPieces++;
    }
    for (let id = 0; id < count; id++) if (alive[id] && !keep[id]) this.drop(id);
    lattice.dropDead();
    this.refresh();
  }

  private drop(id: number): void {
    this.lattice.alive[id] = 0;
    this.size--;
  }

  private refresh(): void {
    this.first = Math.max(0, this.lattice.alive.indexOf(1));
    this.minScore = Number.POSITIVE_INFINITY;
    for (let id = 0; id < this.scores.length; id++) {
      if (this.lattice.alive[id]) this.minScore = Math.min(this.minScore, this.scores[id]);
    }
  }

  /** Adds the expected counts of every piece in a word: forward-backward in the log domain. */
  private expect(at: number, length: number, count: number, expectedCounts: Float64Array): void {
    const { lattice, scores, forward, backward } = this;
    const unknownScore = this.minScore - UNKNOWN_PENALTY;
    for (let i = 1; i <= length; i++) forward[i] = Number.NEGATIVE_INFINITY;
    forward[0] = 0;
    for (let i = 0; i < length; i++) {
      const single = lattice.singleAt(at + i);
      const forwardScore = forward[i];
      forward[i + 1] = logAdd(forward[i + 1], forwardScore + (single < 0 ? unknownScore : scores[single]));
      for (let id = lattice.longestAt(at + i); id >= 0; id = lattice.shorter(id)) {
        const end = i + lattice.pieceLength[id];
        forward[end] = logAdd(forward[end], forwardScore + scores[id]);
      }
    }
    const total = forward[length];
    backward[length] = 0;
    for (let i = length - 1; i >= 0; i--) {
      const single = lattice.singleAt(at + i);
      const base = forward[i] - total;
      let sum = backward[i + 1] + (single < 0 ? unknownScore : scores[single]);
      expectedCounts[single < 0 ? this.first : single] += count * Math.exp(base + sum);
      for (let id = lattice.longestAt(at + i); id >= 0; id = lattice.shorter(id)) {
        const rest = scores[id] + backward[i + lattice.pieceLength[id]];
        expectedCounts[id] += count * Math.exp(base + rest);
        sum = logAdd(sum, rest);
      }
      backward[i] = sum;
    }
  }

  /** Viterbi over `length` symbols without the piece `except`; leaves the path in the work space, returns its score. */
  private bestPath(at: number, length: number, except: number): number {
    const { lattice, scores, forward, bestStart, bestPiece } = this;
    const unknownScore = this.minScore - UNKNOWN_PENALTY;
    for (let i = 1; i <= length; i++) forward[i] = Number.NEGATIVE_INFINITY;
    forward[0] = 0;
    for (let i = 0; i < length; i++) {
      const single = lattice.singleAt(at + i);
      const score = forward[i] + (single < 0 ? unknownScore : scores[single]);
      if (score > forward[i + 1]) {
        forward[i + 1] = score;
        bestStart[i + 1] = i;
        bestPiece[i + 1] = single < 0 ? this.first : single;
      }
      for (let id = lattice.longestAt(at + i); id >= 0; id = lattice.shorter(id)) {
        const end = i + lattice.pieceLength[id];
        if (end > length || id === except) continue;
        const candidate = forward[i] + scores[id];
        if (candidate > forward[end]) {
          forward[end] = candidate;
          bestStart[end] = i;
          bestPiece[end] = id;
        }
      }
    }
    return forward[length];
  }
}

function logAdd(a: number, b: number): number {
  if (a === Number.NEGATIVE_INFINITY) return b;
  const high = Math.max(a, b);
  const low = Math.min(a, b);
  return high - low > 50 ? high : high + Math.log1p(Math.exp(low - high));
}

/** Derivative of log Γ: recurrence up to 7, then the asymptotic series around x - 1/2. */
function digamma(x: number): number {
  let result = 0;
  let at = x;
  for (; at < 7; at++) result -= 1 / at;
  at -= 0.5;
  const inverse2 = 1 / (at * at);
  const series =
    inverse2 * (1 / 24 + inverse2 * (-7 / 960 + inverse2 * (31 / 8064 - inverse2 * (127 / 30720))));
  return result + Math.log(at) + series;
}
