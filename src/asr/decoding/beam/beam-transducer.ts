// Beam search over a batch: the searches of all utterances run side by side, and their questions are answered
// together.
import type { Engine } from '../../../engine/index.js';
import type { BEAM_STRATEGIES, BeamConfig } from '../config.js';
import type { ProjectedFrames, TransducerNetwork } from '../greedy-transducer.js';
import type { Hypothesis } from '../hypothesis.js';
import { adaptiveExpansionSearch } from './adaptive-expansion.js';
import { alignmentLengthSearch } from './alignment-length-synchronous.js';
import { defaultSearch } from './default-search.js';
import type { Fusion } from './language-model.js';
import type { Prefix } from './prefix.js';
import { TransducerScorer } from './scorer.js';
import { type BeamHypothesis, type Scores, type Search, sortNBest } from './search.js';
import { tdtAdaptiveExpansionSearch } from './tdt-adaptive-expansion.js';
import { tdtSearch } from './tdt-search.js';
import { timeSynchronousSearch } from './time-synchronous.js';

export type BeamStrategy = (typeof BEAM_STRATEGIES)[number];

export interface BeamOptions {
  readonly strategy: BeamStrategy;
  readonly beam: BeamConfig;
  readonly fusion?: Fusion;
}

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

  async decode(input: ProjectedFrames): Promise<Hypothesis[]> {
    const [batch] = input.shape;
    const searches = Array.from({ length: batch }, (_, utterance) => {
      const search = this.search(this.scorer.root(), input.lengths[utterance]);
      return { utterance, search, turn: search.next() };
    });
    for (;;) {
      const waiting = searches.filter(({ turn }) => !turn.done);
      if (waiting.length === 0) break;
      const queries = waiting.flatMap(({ utterance, turn }) =>
        turn.done ? [] : turn.value.map((query) => ({ ...query, utterance })),
      );
      const answers = await this.scorer.answer(queries, input);
      let from = 0;
      for (const one of waiting) {
        if (one.turn.done) continue;
        const own: Scores[] = answers.slice(from, from + one.turn.value.length);
        from += own.length;
        one.turn = one.search.next(own);
      }
    }
    return searches.map(({ turn }) => this.result(turn.done ? turn.value : []));
  }

  private search(root: Prefix, frames: number): Search {
    const { strategy, beam, fusion } = this.options;
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
    if (variant.kind === 'tdt') {
      return strategy === 'maes'
        ? tdtAdaptiveExpansionSearch(root, frames, variant.durations, adaptive)
        : tdtSearch(root, frames, beam.beam_size, vocabulary, variant.durations);
    }
    // As NeMo: with one hypothesis every strategy is the greedy search.
    if (beam.beam_size === 1) return defaultSearch(root, frames, 1, vocabulary);
    switch (strategy) {
      case 'beam':
        return defaultSearch(root, frames, beam.beam_size, vocabulary);
      case 'tsd':
        return timeSynchronousSearch(root, frames, beam.beam_size, vocabulary, beam.tsd_max_sym_exp);
      case 'alsd':
        return alignmentLengthSearch(root, frames, beam.beam_size, vocabulary, beam.alsd_max_target_len);
      case 'maes':
        return adaptiveExpansionSearch(root, frames, adaptive);
    }
  }

  private result(found: readonly BeamHypothesis[]): Hypothesis {
    const sorted = sortNBest(found, this.options.beam.score_norm).map(
      ({ prefix, frames, score, durations }): Hypothesis => ({
        tokens: prefix.tokens(),
        frames: [...frames],
        score,
        ...(durations && { durations }),
      }),
    );
    const [best] = sorted;
    return this.options.beam.return_best_hypothesis ? best : { ...best, alternatives: sorted };
  }
}
