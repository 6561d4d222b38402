// Best-path decoding of CTC: the best class of every frame, repeats merged, blanks removed.
import type { Hypothesis } from '../../generation/index.js';

/** The best class of every frame of a batch. */
export interface FrameChoices {
  /** Best class of each frame, [B,T]. */
  readonly best: ArrayLike<number>;
  /** Its log-probability, [B,T]. */
  readonly scores: ArrayLike<number>;
  /** T */
  readonly frames: number;
  readonly lengths: ArrayLike<number>;
  readonly blank: number;
}

/** One hypothesis per utterance. The score counts the frames that are not blank, as NeMo does. */
export function greedyCtc({ best, scores, frames, lengths, blank }: FrameChoices): Hypothesis[] {
  return Array.from({ length: lengths.length }, (_, b) => {
    const tokens: number[] = [];
    const times: number[] = [];
    let score = 0;
    let previousToken = blank;
    for (let t = 0; t < lengths[b]; t++) {
      const token = best[b * frames + t];
      if (token !== blank) {
        score += scores[b * frames + t];
        if (token !== previousToken) {
          tokens.push(token);
          times.push(t);
        }
      }
      previousToken = token;
    }
    return { tokens, frames: times, score };
  });
}
