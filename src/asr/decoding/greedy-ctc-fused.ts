// Best-path decoding of CTC with models of tokens, as NeMo's `greedy_batch` does it: the network says where a new
// token comes in, network and models together which one. On the host, frame by frame.
import type { FusionState, TokenFusion } from './fusion/token-fusion.js';

/** Where the search of an utterance is; it can go on with further frames. */
export interface FusedCtcCursor {
  /** Class of the last frame. */
  last: number;
  state: FusionState;
}

export function fusedCtcStart(fusion: TokenFusion, blank: number): FusedCtcCursor {
  return { last: blank, state: fusion.start() };
}

/**
 * Classes of the next frames and their log-probabilities, in which a new token has what the models add.
 * @param logProbabilities [frames, blank + 1], blank last
 */
export function fusedCtcPath(
  cursor: FusedCtcCursor,
  logProbabilities: Float32Array,
  blank: number,
): { best: Int32Array; scores: Float32Array } {
  const classes = blank + 1;
  const frames = logProbabilities.length / classes;
  const best = new Int32Array(frames);
  const scores = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    const row = logProbabilities.subarray(t * classes, (t + 1) * classes);
    let label = 0;
    for (let k = 1; k < classes; k++) if (row[k] > row[label]) label = k;
    let score = row[label];
    if (label !== blank && label !== cursor.last) {
      const fusionScores = cursor.state.scores;
      score = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < blank; k++) {
        // The token before would not be a new one.
        if (k === cursor.last || row[k] + fusionScores[k] <= score) continue;
        label = k;
        score = row[k] + fusionScores[k];
      }
      cursor.state = cursor.state.after(label);
    }
    best[t] = label;
    scores[t] = score;
    cursor.last = label;
  }
  return { best, scores };
}
