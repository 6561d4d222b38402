// The search that a decoding section of CTC asks for: what the program must give, and what the host makes of it.
import { type HostTensors, type Tensor, type Tensors, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { ReadFile, Tokenizer } from '../../text/index.js';
import { ctcTokenConfidence } from '../decoding/confidence/aggregate.js';
import { confidence } from '../decoding/confidence/measure.js';
import { ctcBeamSearch } from '../decoding/ctc-beam.js';
import type { CtcDecodingConfig } from '../decoding/ctc-config.js';
import { greedyCtc } from '../decoding/greedy-ctc.js';
import type { Hypothesis } from '../decoding/hypothesis.js';
import { loadTokenLm } from '../decoding/lm/token-words.js';
import { type ConfidenceSettings, confidenceSettings } from '../decoding/shared-config.js';

export interface CtcSearch {
  /** What the program has to give, from log-probabilities [B,T,V+1]. */
  outputs(logProbabilities: Tensor): Tensors;
  /** Hypotheses from those outputs; `lengths` are valid frames. */
  decode(outputs: HostTensors, lengths: ArrayLike<number>): Hypothesis[];
}

/** @throws AnemoneError `asr.decoding`, and those of the language model */
export function ctcSearch(
  decoding: CtcDecodingConfig,
  blank: number,
  tokenizer: Tokenizer,
  readFile: ReadFile,
): CtcSearch {
  const wanted = confidenceSettings(decoding);
  if (decoding.strategy === 'greedy' || decoding.strategy === 'greedy_batch') return bestPath(blank, wanted);
  if (wanted) {
    throw new AnemoneError({
      code: 'asr.decoding',
      path: 'decoding.confidence_cfg',
      message: `there is no confidence with strategy ${decoding.strategy}`,
      hint: 'use greedy',
    });
  }
  return beamSearch(decoding.beam, tokenizer, readFile);
}

function bestPath(blank: number, wanted: ConfidenceSettings | undefined): CtcSearch {
  return {
    outputs: (logProbabilities) => {
      const outputs: Tensors = { best: tf.argMax(logProbabilities, 2), scores: tf.max(logProbabilities, 2) };
      if (wanted) outputs['confidence'] = confidence(logProbabilities, blank + 1, wanted.method);
      return outputs;
    },
    decode: ({ best, scores, confidence }, lengths) => {
      const [, frames] = best.shape;
      const hypotheses = greedyCtc({ best: best.data, scores: scores.data, frames, lengths, blank });
      if (!wanted) return hypotheses;
      return hypotheses.map((hypothesis, b) => {
        const [from, to] = [b * frames, b * frames + lengths[b]];
        const values = Array.from(confidence.data.slice(from, to));
        const own = { ...hypothesis, frameConfidence: values.map((value) => [value]) };
        if (!wanted.tokens) return own;
        const tokens = ctcTokenConfidence(best.data.slice(from, to), values, blank, wanted);
        return { ...own, tokenConfidence: tokens };
      });
    },
  };
}

function beamSearch(beam: CtcDecodingConfig['beam'], tokenizer: Tokenizer, readFile: ReadFile): CtcSearch {
  const file = beam.ngram_lm_model ?? beam.kenlm_path;
  const weight = beam.beam_alpha ?? beam.ngram_lm_alpha ?? 1;
  const lm = file
    ? { ...loadTokenLm(file, tokenizer, readFile, 'decoding.beam.ngram_lm_model'), weight }
    : undefined;
  const options = { beamSize: beam.beam_size, threshold: beam.beam_threshold, beta: beam.beam_beta, lm };
  return {
    outputs: (logProbabilities) => ({ logProbabilities: tf.clone(logProbabilities) }),
    decode: ({ logProbabilities: { data, shape } }, lengths) => {
      const [batch, frames, classes] = shape;
      return Array.from({ length: batch }, (_, b) => {
        const found = ctcBeamSearch(
          {
            logProbabilities: data as Float32Array,
            offset: b * frames * classes,
            classes,
            length: lengths[b],
          },
          options,
        );
        const [best] = found;
        return beam.return_best_hypothesis ? best : { ...best, alternatives: found };
      });
    },
  };
}
