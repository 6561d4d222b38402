// The search that a decoding section asks for.
import type { Engine } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { ReadFile, Tokenizer } from '../../text/index.js';
import { HATJoint } from '../decoders/hat-joint.js';
import { type BeamStrategy, BeamTransducer } from '../decoding/beam/beam-transducer.js';
import type { Fusion } from '../decoding/beam/language-model.js';
import { BEAM_STRATEGIES, type BeamConfig, type DecodingConfig, mostSymbols } from '../decoding/config.js';
import { GreedyTransducer, type TransducerNetwork } from '../decoding/greedy-transducer.js';
import { loadTokenLm } from '../decoding/lm/token-words.js';
import { confidenceSettings } from '../decoding/shared-config.js';
import type { TransducerSearch } from './rnnt-recognizer.js';

/** @throws AnemoneError `asr.decoding` for a strategy that the network does not have */
export function transducerSearch(
  engine: Engine,
  network: TransducerNetwork,
  decoding: DecodingConfig,
  tokenizer: Tokenizer,
  readFile: ReadFile,
): TransducerSearch {
  const { strategy, greedy, beam } = decoding;
  const confidence = confidenceSettings(decoding);
  if (!isBeam(strategy)) {
    const maxSymbols = mostSymbols(greedy);
    return new GreedyTransducer(engine, network, { maxSymbols, window: greedy.window, confidence });
  }
  if (confidence)
    throw refuse('confidence_cfg', `there is no confidence with strategy ${strategy}`, 'use greedy');
  const { kind } = network.variant;
  if (kind === 'multiblank')
    throw refuse('strategy', `multi-blank models decode greedily`, 'use greedy_batch');
  if (kind === 'tdt' && strategy !== 'beam' && strategy !== 'maes') {
    throw refuse('strategy', `there is no ${strategy} for TDT models`, 'use beam or maes');
  }
  const fusion = fusionOf(strategy, network, beam, tokenizer, readFile);
  return new BeamTransducer(engine, network, { strategy, beam, fusion });
}

function isBeam(strategy: DecodingConfig['strategy']): strategy is BeamStrategy {
  return (BEAM_STRATEGIES as readonly string[]).includes(strategy);
}

function fusionOf(
  strategy: BeamStrategy,
  { joint }: TransducerNetwork,
  beam: BeamConfig,
  tokenizer: Tokenizer,
  readFile: ReadFile,
): Fusion | undefined {
  const { ngram_lm_model: file, ngram_lm_alpha: weight, hat_subtract_ilm: subtract } = beam;
  if (subtract && !(joint instanceof HATJoint && file)) {
    throw refuse('beam.hat_subtract_ilm', 'needs a HATJoint and a language model', 'leave it out');
  }
  if (!file) return undefined;
  if (strategy !== 'maes') {
    throw refuse('beam.ngram_lm_model', `strategy ${strategy} has no language model`, 'use maes');
  }
  const lm = loadTokenLm(file, tokenizer, readFile, 'model.decoding.beam.ngram_lm_model');
  return { ...lm, weight: weight ?? 0, internalWeight: subtract ? beam.hat_ilm_weight : 0 };
}

function refuse(key: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'asr.decoding', path: `model.decoding.${key}`, message, hint });
}
