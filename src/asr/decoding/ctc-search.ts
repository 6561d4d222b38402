// The search that a decoding section of CTC asks for: what the program must give, and what the host makes of it.
import { type HostTensors, type Tensor, type Tensors, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Hypothesis } from '../../generation/index.js';
import type { ReadFile, Tokenizer } from '../../text/index.js';
import { ctcTokenConfidence } from './confidence/aggregate.js';
import { confidence } from './confidence/measure.js';
import { ctcBatchedBeamSearch } from './ctc-batched-beam.js';
import { ctcBeamSearch } from './ctc-beam.js';
import type { CtcDecodingConfig } from './ctc-config.js';
import { loadFusion } from './fusion/load-fusion.js';
import type { TokenFusion } from './fusion/token-fusion.js';
import { greedyCtc } from './greedy-ctc.js';
import { fusedCtcPath, fusedCtcStart } from './greedy-ctc-fused.js';
import { type ConfidenceOptions, confidenceOptions } from './shared-config.js';

/** A search over the outputs of a frame classifier, half in the program and half on the host. */
export interface CtcSearch {
  /** What the program has to give, from log-probabilities [B,T,V+1]. */
  outputs(logProbabilities: Tensor): Tensors;
  /** Hypotheses from those outputs; `lengths` are valid frames. */
  decode(outputs: HostTensors, lengths: ArrayLike<number>): Hypothesis[];
}

/** What a search needs to know besides its section. */
export interface CtcSearchContext {
  /** Id of blank; the tokens are those below it. */
  readonly blank: number;
  readonly tokenizer: Tokenizer;
  /** For language models and phrases. */
  readonly readFile: ReadFile;
  /** Where the section stands in the config, for errors: `model.decoding`, `model.aux_ctc.decoding`. */
  readonly path: string;
}

/** @throws AnemoneError `asr.decoding`, and those of loadFusion */
export function ctcSearch(decoding: CtcDecodingConfig, context: CtcSearchContext): CtcSearch {
  const settings = confidenceOptions(decoding);
  if (decoding.strategy === 'greedy' || decoding.strategy === 'greedy_batch') {
    return bestPath(context.blank, settings, greedyCtcFusion(decoding, context));
  }
  if (settings) {
    throw new AnemoneError({
      code: 'asr.decoding',
      path: `${context.path}.confidence_cfg`,
      message: `there is no confidence with strategy ${decoding.strategy}`,
      hint: 'use greedy',
    });
  }
  return beamSearch(decoding, context);
}

/** What greedy search is fused with. @throws AnemoneError those of loadFusion */
export function greedyCtcFusion(
  { greedy }: CtcDecodingConfig,
  { blank: vocabulary, tokenizer, readFile, path }: CtcSearchContext,
): TokenFusion | undefined {
  const section = `${path}.greedy`;
  return loadFusion(greedy, { tokenizer, vocabulary, readFile, path: section, shareUnknown: true });
}

function bestPath(
  blank: number,
  settings: ConfidenceOptions | undefined,
  fusion: TokenFusion | undefined,
): CtcSearch {
  return {
    outputs: (logProbabilities) => {
      const outputs: Tensors = fusion
        ? { logProbabilities: tf.clone(logProbabilities) }
        : { best: tf.argMax(logProbabilities, 2), scores: tf.max(logProbabilities, 2) };
      if (settings) outputs['confidence'] = confidence(logProbabilities, blank + 1, settings.method);
      return outputs;
    },
    decode: (outputs, lengths) => {
      const { best, scores, frames } = fusion
        ? fusedPaths(outputs['logProbabilities'], lengths, blank, fusion)
        : { best: outputs['best'].data, scores: outputs['scores'].data, frames: outputs['best'].shape[1] };
      const hypotheses = greedyCtc({ best, scores, frames, lengths, blank });
      if (!settings) return hypotheses;
      return hypotheses.map((hypothesis, b) => {
        const [from, to] = [b * frames, b * frames + lengths[b]];
        const values = Array.from(outputs['confidence'].data.slice(from, to));
        const withFrames = { ...hypothesis, frameConfidence: values.map((value) => [value]) };
        if (!settings.tokens) return withFrames;
        const tokens = ctcTokenConfidence(best.slice(from, to), values, blank, settings);
        return { ...withFrames, tokenConfidence: tokens };
      });
    },
  };
}

/** Best class of each frame with what the models say, and its score, [B,T]. */
function fusedPaths(
  { data, shape: [batch, frames, classes] }: HostTensors[string],
  lengths: ArrayLike<number>,
  blank: number,
  fusion: TokenFusion,
) {
  const best = new Int32Array(batch * frames);
  const scores = new Float32Array(batch * frames);
  for (let b = 0; b < batch; b++) {
    const from = b * frames;
    const ownRows = data.subarray(from * classes, (from + lengths[b]) * classes) as Float32Array;
    const path = fusedCtcPath(fusedCtcStart(fusion, blank), ownRows, blank);
    best.set(path.best, from);
    scores.set(path.scores, from);
  }
  return { best, scores, frames };
}

function beamSearch(
  { strategy, beam }: CtcDecodingConfig,
  { blank: vocabulary, tokenizer, readFile, path }: CtcSearchContext,
): CtcSearch {
  const section = {
    ...beam,
    ngram_lm_model: beam.ngram_lm_model ?? beam.kenlm_path,
    ngram_lm_alpha: beam.beam_alpha ?? beam.ngram_lm_alpha ?? 1,
  };
  const isBatched = strategy === 'beam_batch';
  const fusion = loadFusion(section, {
    ...{ tokenizer, vocabulary, readFile },
    path: `${path}.beam`,
    shareUnknown: isBatched,
  });
  const options = { beamSize: beam.beam_size, threshold: beam.beam_threshold, beta: beam.beam_beta, fusion };
  const search = isBatched ? ctcBatchedBeamSearch : ctcBeamSearch;
  return {
    outputs: (logProbabilities) => ({ logProbabilities: tf.clone(logProbabilities) }),
    decode: ({ logProbabilities: { data, shape } }, lengths) => {
      const [batch, frames, classes] = shape;
      return Array.from({ length: batch }, (_, b) => {
        const foundHypotheses = search(
          {
            logProbabilities: data as Float32Array,
            offset: b * frames * classes,
            classes,
            length: lengths[b],
          },
          options,
        );
        const [best] = foundHypotheses;
        return beam.return_best_hypothesis ? best : { ...best, alternatives: foundHypotheses };
      });
    },
  };
}
