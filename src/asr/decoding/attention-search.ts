// The search that the decoding section of a model with an attention decoder asks for.
import type { Engine } from '../../engine/index.js';
import {
  AttentionBeam,
  type AttentionDecodingConfig,
  AttentionGreedy,
  type AttentionNetwork,
  type AttentionSearch,
  type SearchTokens,
} from '../../generation/index.js';

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
