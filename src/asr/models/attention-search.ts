// The search that the decoding section of a model with an attention decoder asks for.
import type { Engine } from '../../engine/index.js';
import { AttentionBeam } from '../decoding/attention/beam.js';
import type { AttentionDecodingConfig } from '../decoding/attention/config.js';
import { AttentionGreedy } from '../decoding/attention/greedy.js';
import type { AttentionSearch, SearchTokens } from '../decoding/attention/search.js';
import type { AttentionNetwork } from '../decoding/attention/step-runner.js';

export function attentionSearch(
  engine: Engine,
  network: AttentionNetwork,
  { strategy, greedy, beam, return_best_hypothesis: best }: AttentionDecodingConfig,
  tokens: SearchTokens,
): AttentionSearch {
  if (strategy !== 'beam') {
    const { max_generation_delta: maxGenerationDelta } = greedy;
    return new AttentionGreedy(engine, network, { ...tokens, maxGenerationDelta });
  }
  return new AttentionBeam(engine, network, {
    ...tokens,
    beamSize: beam.beam_size,
    lengthPenalty: beam.length_penalty ?? beam.len_pen,
    maxGenerationDelta: beam.max_generation_delta,
    alternatives: !best || !beam.return_best_hypothesis,
  });
}
