// The search that a decoding section asks for.
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Hypothesis } from '../../generation/index.js';
import type { ReadFile, Tokenizer } from '../../text/index.js';
import { HATJoint } from '../decoders/hat-joint.js';
import { type BeamStrategy, BeamTransducer } from './beam/beam-transducer.js';
import type { Fusion } from './beam/language-model.js';
import { BEAM_STRATEGIES, type BeamConfig, type DecodingConfig, mostSymbols } from './config.js';
import { hasPhrases } from './fusion/config.js';
import { loadFusion } from './fusion/load-fusion.js';
import {
  type GreedyOptions,
  GreedyTransducer,
  type ProjectedFrames,
  type TransducerNetwork,
} from './greedy-transducer.js';
import { confidenceOptions } from './shared-config.js';

/** Finds hypotheses in projected encoder frames. */
export interface TransducerSearch {
  decode(input: ProjectedFrames): Promise<Hypothesis[]>;
}

/** @throws AnemoneError `asr.decoding` for a strategy that the network does not have */
export function transducerSearch(
  engine: Engine,
  network: TransducerNetwork,
  decoding: DecodingConfig,
  tokenizer: Tokenizer,
  readFile: ReadFile,
): TransducerSearch {
  const { strategy, beam } = decoding;
  const confidence = confidenceOptions(decoding);
  if (!isBeam(strategy)) {
    const options = greedyOptions(network, decoding, tokenizer, readFile);
    return new GreedyTransducer(engine, network, { ...options, confidence });
  }
  if (confidence)
    throw refuse('confidence_cfg', `there is no confidence with strategy ${strategy}`, 'use greedy');
  const { kind } = network.variant;
  if (kind === 'multiblank')
    throw refuse('strategy', `multi-blank models decode greedily`, 'use greedy_batch');
  if (kind === 'tdt' && !['beam', 'maes', 'malsd_batch'].includes(strategy)) {
    throw refuse('strategy', `there is no ${strategy} for TDT models`, 'use malsd_batch, beam or maes');
  }
  const fusion = fusionOf(strategy, network, beam, tokenizer, readFile);
  return new BeamTransducer(engine, network, { strategy, beam, fusion, fusionWeight: fusionWeight(beam) });
}

/**
 * What the greedy section asks for, but confidences.
 * @throws AnemoneError `asr.decoding`, and those of loadFusion
 */
export function greedyOptions(
  { decoder, variant }: TransducerNetwork,
  { greedy }: DecodingConfig,
  tokenizer: Tokenizer,
  readFile: ReadFile,
): GreedyOptions {
  const fusion = loadFusion(greedy, {
    tokenizer,
    vocabulary: decoder.vocabulary,
    readFile,
    path: 'model.decoding.greedy',
    shareUnknown: true,
  });
  if (fusion && variant.kind === 'multiblank') {
    const key = greedy.ngram_lm_model === null ? 'boosting_tree' : 'ngram_lm_model';
    throw refuse(`greedy.${key}`, 'multi-blank models are not fused with others', 'leave it out');
  }
  return { maxSymbols: mostSymbols(greedy), window: greedy.window, fusion };
}

function isBeam(strategy: DecodingConfig['strategy']): strategy is BeamStrategy {
  return (BEAM_STRATEGIES as readonly string[]).includes(strategy);
}

function fusionOf(
  strategy: BeamStrategy,
  { decoder, joint }: TransducerNetwork,
  beam: BeamConfig,
  tokenizer: Tokenizer,
  readFile: ReadFile,
): Fusion | undefined {
  const { ngram_lm_model: file, hat_subtract_ilm: subtract } = beam;
  if (subtract && !(joint instanceof HATJoint && file)) {
    throw refuse('beam.hat_subtract_ilm', 'needs a HATJoint and a language model', 'leave it out');
  }
  const batched = strategy === 'malsd_batch' || strategy === 'maes_batch';
  if (subtract && batched) {
    throw refuse('beam.hat_subtract_ilm', `${strategy} does not take it off`, 'use maes, or leave it out');
  }
  if (strategy !== 'maes' && !batched) {
    if (file)
      throw refuse(
        'beam.ngram_lm_model',
        `strategy ${strategy} has no language model`,
        'use malsd_batch or maes',
      );
    if (hasPhrases(beam.boosting_tree)) {
      throw refuse(
        'beam.boosting_tree',
        `strategy ${strategy} boosts no phrases`,
        'use malsd_batch or greedy_batch',
      );
    }
  }
  const tokens = loadFusion(beam, {
    tokenizer,
    vocabulary: decoder.vocabulary,
    readFile,
    path: 'model.decoding.beam',
    shareUnknown: batched,
  });
  return tokens && { tokens, internalWeight: subtract ? beam.hat_ilm_weight : 0 };
}

/** Of the language model and the boosted phrases together. */
function fusionWeight(beam: BeamConfig): number {
  const model = beam.ngram_lm_model === null ? 0 : (beam.ngram_lm_alpha ?? 0);
  return model + (hasPhrases(beam.boosting_tree) ? (beam.boosting_tree_alpha ?? 0) : 0);
}

function refuse(key: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'asr.decoding', path: `model.decoding.${key}`, message, hint });
}
