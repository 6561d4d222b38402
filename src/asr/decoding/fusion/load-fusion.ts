// The models of tokens that a section of `decoding` names, loaded.
import { AnemoneError } from '../../../errors/index.js';
import type { ReadFile, Tokenizer } from '../../../text/index.js';
import type { WeightedModel } from '../lm/token-model.js';
import { TokenNgram } from '../lm/token-ngram.js';
import { loadTokenLm } from '../lm/token-words.js';
import { type FusionSection, hasPhrases } from './config.js';
import { boostingTree } from './phrases.js';
import { TokenFusion } from './token-fusion.js';

export interface FusionContext {
  readonly tokenizer: Tokenizer;
  /** Tokens that the model has, blank not counted. */
  readonly vocabulary: number;
  readonly readFile: ReadFile;
  /** Path of the section, for messages. */
  readonly path: string;
  /** See TokenNgram. */
  readonly shareUnknown: boolean;
}

/**
 * Undefined where the section names none.
 * @throws AnemoneError those of loadTokenLm and boostingTree, `decoding.no-weight`
 */
export function loadFusion(section: FusionSection, context: FusionContext): TokenFusion | undefined {
  const { tokenizer, vocabulary, readFile, path, shareUnknown } = context;
  const models: WeightedModel[] = [];
  if (section.ngram_lm_model !== null) {
    const { model, words } = loadTokenLm(
      section.ngram_lm_model,
      tokenizer,
      readFile,
      `${path}.ngram_lm_model`,
    );
    models.push({
      model: new TokenNgram(model, words, shareUnknown),
      weight: section.ngram_lm_alpha ?? 0,
    });
  }
  if (hasPhrases(section.boosting_tree)) {
    const weight = section.boosting_tree_alpha;
    if (weight === undefined || weight === null) {
      throw new AnemoneError({
        code: 'decoding.no-weight',
        path: `${path}.boosting_tree_alpha`,
        message: 'the phrases to boost have no weight',
        hint: 'boosting_tree_alpha: 1 is a beginning',
      });
    }
    models.push({
      model: boostingTree(section.boosting_tree, tokenizer, readFile, `${path}.boosting_tree`),
      weight,
    });
  }
  return models.length > 0 ? new TokenFusion(models, vocabulary) : undefined;
}
