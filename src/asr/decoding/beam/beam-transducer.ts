// Beam search of transducers over a batch.
import type { Engine } from '../../../engine/index.js';
import type { Hypothesis } from '../../../generation/index.js';
import { type BEAM_STRATEGIES, type BeamConfig, fusionModes, mostSymbols } from '../config.js';
import type { ProjectedFrames, TransducerNetwork } from '../greedy-transducer.js';
import { adaptiveExpansionSearch } from './adaptive-expansion.js';
import { alignmentLengthSearch } from './alignment-length-synchronous.js';
import { batchedAdaptiveExpansionSearch } from './batched-adaptive-expansion.js';
import type { BatchedFusion } from './batched-fusion.js';
import { defaultSearch } from './default-search.js';
import type { Fusion } from './language-model.js';
import { modifiedAlignmentLengthSearch } from './modified-alignment-length.js';
import type { Prefix } from './prefix.js';
import { TransducerScorer } from './scorer.js';
import { type BeamHypothesis, type Scores, type Search, sortNBest } from './search.js';
import { tdtAdaptiveExpansionSearch } from './tdt-adaptive-expansion.js';
import { tdtSearch } from './tdt-search.js';
import { timeSynchronousSearch } from './time-synchronous.js';

/** The searches that NeMo's `strategy` may name, beside the greedy ones. */
export type BeamStrategy = (typeof BEAM_STRATEGIES)[number];

/** Which search, how wide, and with which models' help. */
export interface BeamOptions {
  readonly strategy: BeamStrategy;
  readonly beam: BeamConfig;
  readonly fusion?: Fusion | undefined;
  /** Sum of the weights of the models in `fusion`; malsd_batch and maes_batch need it. Default 0. */
  readonly fusionWeight?: number;
}

/**
 * Beam search over a batch: the searches of all utterances run side by side, and their questions are answered
 * together. Source: NeMo's BeamRNNTInfer and BeamBatchedRNNTInfer.
 */
export class BeamTransducer {
  private readonly scorer: TransducerScorer;

  constructor(
    engine: Engine,
    private readonly network: TransducerNetwork,
    private readonly options: BeamOptions,
  ) {
    this.scorer = new TransducerScorer(engine, network, {
      temperature: options.beam.softmax_temperature,
      internalLm: (options.fusion?.internalWeight ?? 0) !== 0,
    });
  }

  /** The best hypothesis of each utterance, with the others as `alternatives` where the options say so. */
  async decode(input: ProjectedFrames): Promise<Hypothesis[]> {
    const [batch] = input.shape;
    const searches = Array.from({ length: batch }, (_, utterance) => {
      const search = this.search(this.scorer.root(), input.lengths[utterance]);
      return { utterance, search, turn: search.next() };
    });
    for (;;) {
      const waitingSearches = searches.filter(({ turn }) => !turn.done);
      if (waitingSearches.length === 0) break;
      const queries = waitingSearches.flatMap(({ utterance, turn }) =>
        turn.done ? [] : turn.value.map((query) => ({ ...query, utterance })),
      );
      const answers = await this.scorer.answer(queries, input);
      let from = 0;
      for (const waitingSearch of waitingSearches) {
        if (waitingSearch.turn.done) continue;
        const ownScores: Scores[] = answers.slice(from, from + waitingSearch.turn.value.length);
        from += ownScores.length;
        waitingSearch.turn = waitingSearch.search.next(ownScores);
      }
    }
    return searches.map(({ turn }) => this.result(turn.done ? turn.value : []));
  }

  /** Gives hypotheses in their final order. */
  private search(root: Prefix, frames: number): Search {
    const { strategy, beam } = this.options;
    const { variant, decoder } = this.network;
    if (strategy === 'alsd' && variant.kind !== 'tdt' && beam.beam_size > 1) {
      const { beam_size: size, alsd_max_target_len: longest, score_norm: normalise } = beam;
      return alignmentLengthSearch(root, frames, size, decoder.vocabulary, longest, normalise);
    }
    return sorted(this.unsorted(root, frames, strategy), beam.score_norm);
  }

  private unsorted(root: Prefix, frames: number, strategy: BeamStrategy): Search {
    const { beam, fusion } = this.options;
    const { variant, decoder } = this.network;
    const { vocabulary } = decoder;
    const adaptive = {
      beamSize: beam.beam_size,
      vocabulary,
      steps: beam.maes_num_steps,
      prefixAlpha: beam.maes_prefix_alpha,
      gamma: beam.maes_expansion_gamma,
      beta: beam.maes_expansion_beta,
      fusion,
    };
    if (strategy === 'malsd_batch') {
      return modifiedAlignmentLengthSearch(root, frames, {
        beamSize: beam.beam_size,
        vocabulary,
        maxSymbols: mostSymbols(beam),
        durations: variant.kind === 'tdt' ? variant.durations : undefined,
        fusion: this.batchedFusion(),
      });
    }
    if (strategy === 'maes_batch') {
      return batchedAdaptiveExpansionSearch(root, frames, { ...adaptive, fusion: this.batchedFusion() });
    }
    if (variant.kind === 'tdt') {
      return strategy === 'maes'
        ? tdtAdaptiveExpansionSearch(root, frames, variant.durations, adaptive)
        : tdtSearch(root, frames, beam.beam_size, vocabulary, variant.durations);
    }
    // As NeMo: with one hypothesis every strategy is the greedy search.
    if (beam.beam_size === 1) return defaultSearch(root, frames, 1, vocabulary);
    if (strategy === 'maes') return adaptiveExpansionSearch(root, frames, adaptive);
    return strategy === 'tsd'
      ? timeSynchronousSearch(root, frames, beam.beam_size, vocabulary, beam.tsd_max_sym_exp)
      : defaultSearch(root, frames, beam.beam_size, vocabulary);
  }

  private batchedFusion(): BatchedFusion | undefined {
    const { fusion, fusionWeight = 0, beam } = this.options;
    if (!fusion) return undefined;
    return { tokens: fusion.tokens, weight: fusionWeight, ...fusionModes(beam) };
  }

  private result(foundBeam: readonly BeamHypothesis[]): Hypothesis {
    const alternatives = foundBeam.map(
      ({ prefix, frames, score, durations }): Hypothesis => ({
        tokens: prefix.tokens(),
        frames: [...frames],
        score,
        ...(durations && { durations }),
      }),
    );
    const [best] = alternatives;
    return this.options.beam.return_best_hypothesis ? best : { ...best, alternatives };
  }
}

function* sorted(search: Search, normalise: boolean): Search {
  return sortNBest(yield* search, normalise);
}
