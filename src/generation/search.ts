// What the searches of an attention decoder share: how long a hypothesis may become, and feeding the prompt.
import type { Hypothesis } from './hypothesis.js';
import type { HostStates, StepMemory } from './step-runner.js';

/** Ids with a meaning for the search. */
export interface SearchTokens {
  /** Tokens there are; the classes that the decoder has beyond them, up to a multiple of 8, are never found. */
  readonly vocabSize: number;
  readonly eosId: number;
  readonly padId: number;
}

/** Finds hypotheses in encoder output, given what comes before each transcript. */
export interface AttentionSearch {
  /** `prompts` has the tokens of each utterance's prompt, one at least. */
  decode(states: HostStates, prompts: readonly (readonly number[])[]): Promise<Hypothesis[]>;
}

/**
 * Tokens an utterance may have, the prompt included: frames of the encoder and `delta` more, but no more than the
 * decoder has positions; a negative `delta` leaves only that bound. NeMo counts the padded frames of the batch; here
 * an utterance has its own, so that results do not depend on the batch.
 */
export function longestSequence(frames: number, delta: number, positions: number): number {
  return delta < 0 ? positions : Math.min(positions, frames + delta);
}

/**
 * Runs the prompts of all hypotheses, prompts[n] being that of hypothesis n. Gives the log-probabilities [N,V] of
 * what comes after the last token of each.
 */
export async function feedPrompts(
  memory: StepMemory,
  prompts: readonly (readonly number[])[],
): Promise<Float32Array> {
  const longest = Math.max(...prompts.map((prompt) => prompt.length));
  let result: Float32Array | undefined;
  for (let i = 0; i < longest; i++) {
    // A prompt shorter than others repeats its last token at its last place, which changes nothing.
    const at = Int32Array.from(prompts, (prompt) => Math.min(i, prompt.length - 1));
    const tokens = Int32Array.from(prompts, (prompt, n) => prompt[at[n]]);
    result = await memory.advance(tokens, at);
  }
  return result as Float32Array;
}

/** Index and value of the largest of `count` numbers from `from` on. */
export function largest(values: Float32Array, from: number, count: number): { index: number; value: number } {
  let index = 0;
  for (let i = 1; i < count; i++) if (values[from + i] > values[from + index]) index = i;
  return { index, value: values[from + index] };
}
