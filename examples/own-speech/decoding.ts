// A search of your own: the best path of CTC without tokens that the model doubts. `decoding: {_target_: SurePath, …}`.

import {
  type CtcSearch,
  type FrameDecoding,
  frameDecodingKind,
  type Hypothesis,
} from '../../src/asr/index.js';
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import { type HostTensors, type Tensor, tf } from '../../src/engine/index.js';

class SurePath implements FrameDecoding {
  constructor(private readonly least: number) {}

  search({ blank }: { readonly blank: number }): CtcSearch {
    const { least } = this;
    return {
      // What the compiled program gives, from log-probabilities [B,T,V+1] …
      outputs: (logProbabilities: Tensor) => ({
        best: tf.argMax(logProbabilities, 2),
        scores: tf.max(logProbabilities, 2),
      }),
      // … and what the host makes of it.
      decode({ best, scores }: HostTensors, lengths: ArrayLike<number>): Hypothesis[] {
        const frames = best.shape[1];
        return Array.from(lengths, (length, row) => {
          const found = { tokens: [] as number[], frames: [] as number[], score: 0 };
          let previous = blank;
          for (let t = 0; t < length; t++) {
            const token = best.data[row * frames + t];
            const score = scores.data[row * frames + t];
            if (token !== blank && token !== previous && Math.exp(score) >= least) {
              found.tokens.push(token);
              found.frames.push(t);
              found.score += score;
            }
            previous = token;
          }
          return found;
        });
      },
    };
  }
}

export const surePath = component({
  kind: frameDecodingKind,
  name: 'SurePath',
  schema: defineSchema('SurePath', {
    least: { doc: 'Probability that a token needs.', format: 'number', min: 0, max: 1, default: 0.5 },
  }),
  create: ({ least }) => new SurePath(least),
});
