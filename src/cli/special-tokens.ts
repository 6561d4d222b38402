// The section `spl_tokens` of NeMo's configs of multitask models: makes the tokenizer of special tokens before the
// model that needs it, as NeMo's training script does.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, defineSchema, isMapping, listOf, mergeConfigs, selectValue } from '../config/index.js';
import { trainSpecialTokenizer } from '../text/index.js';

/** The section's name, and its tokenizer's among the model's. */
export const SPECIAL_TOKENS = 'spl_tokens';

const schema = defineSchema(SPECIAL_TOKENS, {
  model_dir: { doc: 'Folder that receives the tokenizer.', format: 'string' },
  tokens: { doc: 'Languages and tasks, such as en and transcribe.', format: listOf('string') },
  force_rebuild: { doc: 'Make it anew if it is there already.', format: 'boolean', default: false },
});

/**
 * The config with the tokenizer's folder as `model.tokenizer.langs.spl_tokens.dir`; as it is without the
 * section, for models without such a tokenizer, and where its folder is given.
 * @throws AnemoneError `config.*`, `tokenizer.cannot-write`
 */
export function withSpecialTokens(config: Config): Config {
  const section = config[SPECIAL_TOKENS];
  if (section === undefined || section === null) return config;
  const givenSection = selectValue(config, `model.tokenizer.langs.${SPECIAL_TOKENS}`);
  // Nothing is trained for a model without such a tokenizer, or for one whose tokenizer exists already.
  if (!isMapping(givenSection) || typeof givenSection['dir'] === 'string') return config;
  const { model_dir: dir, tokens, force_rebuild: anew } = schema.parse(section, { path: SPECIAL_TOKENS });
  if (anew || !existsSync(join(dir, 'tokenizer.model'))) trainSpecialTokenizer(tokens, dir);
  return mergeConfigs(config, { model: { tokenizer: { langs: { [SPECIAL_TOKENS]: { dir } } } } });
}
