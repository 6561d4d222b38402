// Beam search of attention decoders.
import type { Engine } from '../engine/index.js';
import type { Hypothesis } from './hypothesis.js';
import { type AttentionSearch, feedPrompts, longestSequence, type SearchTokens } from './search.js';
import { type AttentionNetwork, type HostStates, StepRunner } from './step-runner.js';

export interface AttentionBeamOptions extends SearchTokens {
  readonly beamSize: number;
  /** Exponent α of ((5 + length) / 6)^α, by which scores are divided; prompt and end token count. Default 0. */
  readonly lengthPenalty?: number;
  /** See `longestSequence`. Default -1. */
  readonly maxGenerationDelta?: number;
  /** Give all hypotheses of the beam. Default false. */
  readonly alternatives?: boolean;
}

interface Candidate {
  readonly tokens: readonly number[];
  /** Sum of log-probabilities. */
  readonly score: number;
  readonly ended: boolean;
  /** Place in the beam of the hypothesis it goes on from. */
  readonly parent: number;
}

interface Beam {
  hypotheses: readonly Candidate[];
  /** Tokens a hypothesis may get, as in NeMo one more than fit the longest sequence. */
  readonly most: number;
  done: boolean;
}

/**
 * Beam search of an attention decoder, batched: NeMo's, with its length penalty (Wu et al. 2016). Two slips of
 * NeMo's are not repeated: an end token that comes first ends a hypothesis, and scores keep the penalty of their own
 * length.
 */
export class AttentionBeam implements AttentionSearch {
  private readonly runner: StepRunner;

  constructor(
    engine: Engine,
    network: AttentionNetwork,
    private readonly options: AttentionBeamOptions,
  ) {
    this.runner = new StepRunner(engine, network);
  }

  async decode(states: HostStates, prompts: readonly (readonly number[])[]): Promise<Hypothesis[]> {
    const { beamSize, vocabSize, maxGenerationDelta = -1 } = this.options;
    const { max_sequence_length: room, vocab_size: classes } = this.runner.network.decoder.config;
    const memory = await this.runner.start(states, beamSize);
    const rows = prompts.flatMap((prompt) => new Array<readonly number[]>(beamSize).fill(prompt));
    let logProbs = await feedPrompts(memory, rows);
    const beams = prompts.map((prompt, b): Beam => {
      const longest = longestSequence(states.lengths[b], maxGenerationDelta, room);
      return { hypotheses: [], most: longest - prompt.length + 1, done: longest <= prompt.length };
    });
    const tokens = new Int32Array(rows.length);
    const positions = Int32Array.from(rows, (prompt) => prompt.length - 1);
    rows.forEach((prompt, n) => {
      tokens[n] = prompt[prompt.length - 1];
    });
    for (;;) {
      const parents = Int32Array.from(rows.keys());
      beams.forEach((beam, b) => {
        if (beam.done) return;
        const at = (place: number) =>
          logProbs.subarray((b * beamSize + place) * classes).subarray(0, vocabSize);
        beam.hypotheses = this.extend(beam.hypotheses, at, prompts[b].length);
        const longest = Math.max(...beam.hypotheses.map((hypothesis) => hypothesis.tokens.length));
        beam.done = beam.hypotheses.every((hypothesis) => hypothesis.ended) || longest >= beam.most;
        beam.hypotheses.forEach((hypothesis, place) => {
          const n = b * beamSize + place;
          parents[n] = b * beamSize + hypothesis.parent;
          if (hypothesis.ended || beam.done) return;
          tokens[n] = hypothesis.tokens[hypothesis.tokens.length - 1];
          positions[n] = prompts[b].length - 1 + hypothesis.tokens.length;
        });
      });
      if (beams.every(({ done }) => done)) break;
      memory.reorder(parents);
      logProbs = await memory.advance(tokens, positions);
    }
    return beams.map(({ hypotheses }, b) => this.result(hypotheses, prompts[b].length));
  }

  /** The best of all continuations, in the order of their normalised scores. */
  private extend(
    beam: readonly Candidate[],
    logProbs: (place: number) => Float32Array,
    promptLength: number,
  ): Candidate[] {
    const { beamSize, eosId } = this.options;
    // At first all places of the beam hold the same hypothesis, the prompt.
    const from: readonly Candidate[] =
      beam.length > 0 ? beam : [{ tokens: [], score: 0, ended: false, parent: 0 }];
    const candidates = from.flatMap((hypothesis, parent) => {
      const penalty = this.penalty(hypothesis, promptLength);
      if (hypothesis.ended) return [{ ...hypothesis, parent, rank: hypothesis.score / penalty }];
      const ownLogProbs = logProbs(parent);
      return topK(ownLogProbs, beamSize).map((id) => {
        const [score, ended] = [
          hypothesis.score + ownLogProbs[id],
          id === eosId || id === this.options.padId,
        ];
        const tokens = ended ? hypothesis.tokens : [...hypothesis.tokens, id];
        return { tokens, score, ended, parent, rank: score / penalty };
      });
    });
    return candidates.sort((a, b) => b.rank - a.rank).slice(0, beamSize);
  }

  private penalty({ tokens }: Candidate, promptLength: number): number {
    return ((5 + 1 + promptLength + tokens.length) / 6) ** (this.options.lengthPenalty ?? 0);
  }

  private result(hypotheses: readonly Candidate[], promptLength: number): Hypothesis {
    const rank = (candidate: Candidate) => candidate.score / this.penalty(candidate, promptLength);
    const ranking = [...hypotheses].sort((a, b) => rank(b) - rank(a));
    const all = ranking.map(({ tokens, score }) => ({ tokens: [...tokens], frames: [], score }));
    const best = all[0] ?? { tokens: [], frames: [], score: 0 };
    return this.options.alternatives ? { ...best, alternatives: all } : best;
  }
}

/** Indices of the `count` largest values, largest first. */
function topK(values: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === count && values[i] <= values[best[count - 1]]) continue;
    let place = Math.min(best.length, count - 1);
    while (place > 0 && values[best[place - 1]] < values[i]) {
      best[place] = best[place - 1];
      place--;
    }
    best[place] = i;
  }
  return best;
}
