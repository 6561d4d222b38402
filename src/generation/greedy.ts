// Greedy search of attention decoders.
import type { Engine } from '../engine/index.js';
import type { Hypothesis } from './hypothesis.js';
import { type AttentionSearch, feedPrompts, largest, longestSequence, type SearchTokens } from './search.js';
import { type AttentionNetwork, type HostStates, StepRunner } from './step-runner.js';

export interface AttentionGreedyOptions extends SearchTokens {
  /** See `longestSequence`. Default -1. */
  readonly maxGenerationDelta?: number;
}

/** Greedy search of an attention decoder, batched: the likeliest token, until the end token or the longest length. */
export class AttentionGreedy implements AttentionSearch {
  private readonly runner: StepRunner;

  constructor(
    engine: Engine,
    network: AttentionNetwork,
    private readonly options: AttentionGreedyOptions,
  ) {
    this.runner = new StepRunner(engine, network);
  }

  async decode(states: HostStates, prompts: readonly (readonly number[])[]): Promise<Hypothesis[]> {
    const { eosId, vocabSize, maxGenerationDelta = -1 } = this.options;
    const { max_sequence_length: room, vocab_size: classes } = this.runner.network.decoder.config;
    const hypotheses = prompts.map(() => ({ tokens: [] as number[], frames: [], score: 0 }));
    const maxLengths = prompts.map(
      (prompt, n) => longestSequence(states.lengths[n], maxGenerationDelta, room) - prompt.length,
    );
    const openRows = new Set(prompts.keys());
    const memory = await this.runner.start(states, 1);
    let logProbs = await feedPrompts(memory, prompts);
    const tokens = new Int32Array(prompts.length);
    const positions = Int32Array.from(prompts, (prompt) => prompt.length - 1);
    for (;;) {
      for (const n of openRows) {
        const hypothesis = hypotheses[n];
        if (hypothesis.tokens.length >= maxLengths[n]) {
          openRows.delete(n);
          continue;
        }
        const { index, value } = largest(logProbs, n * classes, vocabSize);
        hypothesis.score += value;
        if (index === eosId) openRows.delete(n);
        else {
          hypothesis.tokens.push(index);
          tokens[n] = index;
          positions[n]++;
        }
      }
      if (openRows.size === 0) return hypotheses;
      // The positions of hypotheses that have ended stay as they are.
      logProbs = await memory.advance(tokens, positions);
    }
  }
}
