// The section `spl_tokens` of NeMo's configs of multitask models: makes the tokenizer of special tokens before the
// model that needs it, as NeMo's training script does.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Config,
  defineSchema,
  isMapping,
  isMissing,
  listOf,
  mergeConfigs,
  type Schema,
  selectValue,
} from '../config/index.js';
import { trainSpecialTokenizer } from '../text/index.js';

/** The section's name, and its tokenizer's among the model's. */
const SPECIAL_TOKENS = 'spl_tokens';

const schema = defineSchema(SPECIAL_TOKENS, {
  model_dir: { doc: 'Folder that receives the tokenizer.', format: 'string' },
  tokens: { doc: 'Languages and tasks, such as en and transcribe.', format: listOf('string') },
  force_rebuild: { doc: 'Make it anew if it is there already.', format: 'boolean', default: false },
});

/** A config whose model knows where its tokenizer of special tokens is going to be. */
export interface WithSpecialTokens {
  readonly config: Config;
  /** The section that is read for it, if it is. */
  readonly sections: Readonly<Record<string, Schema<unknown>>>;
  /** Makes the tokenizer, where it is not there already. @throws AnemoneError `config.*`, `tokenizer.cannot-write` */
  train(): void;
}

/**
 * The config with the tokenizer's folder as `model.tokenizer.langs.spl_tokens.dir`; as it is without the
 * section, for models without such a tokenizer, and where its folder is given. Nothing is made yet.
 */
export function specialTokens(config: Config): WithSpecialTokens {
  const asItIs = { config, sections: {}, train: () => {} };
  const section = config[SPECIAL_TOKENS];
  if (section === undefined || section === null) return asItIs;
  const givenSection = selectValue(config, `model.tokenizer.langs.${SPECIAL_TOKENS}`);
  // A model without this tokenizer, or one whose tokenizer is there already.
  if (
    !isMapping(givenSection) ||
    (!isMissing(givenSection, 'dir') && typeof givenSection['dir'] === 'string')
  )
    return asItIs;
  const folder = isMapping(section) && !isMissing(section, 'model_dir') ? section['model_dir'] : undefined;
  const langs = { [SPECIAL_TOKENS]: { dir: typeof folder === 'string' ? folder : null } };
  return {
    config: mergeConfigs(config, { model: { tokenizer: { langs } } }),
    sections: { [SPECIAL_TOKENS]: schema },
    train: () => {
      const { model_dir: dir, tokens, force_rebuild: anew } = schema.parse(section, { path: SPECIAL_TOKENS });
      if (anew || !existsSync(join(dir, 'tokenizer.model'))) trainSpecialTokenizer(tokens, dir);
    },
  };
}

/** The config with the folder of the tokenizer, which is there then. @throws AnemoneError as `train` */
export function withSpecialTokens(config: Config): Config {
  const tokens = specialTokens(config);
  tokens.train();
  return tokens.config;
}
