// The tokenizer of a folder of Hugging Face, and which of its tokens begin and end a text.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, recordOf } from '../../config/index.js';
import { AnemoneError } from '../../errors/index.js';
import { readRegularFileSync } from '../../formats/index.js';
import { loadTokenizer, openHuggingFaceTokenizer, type Tokenizer } from '../../text/index.js';
import type { HuggingFaceConfig } from './architecture.js';

/** A tokenizer and how a model uses it. */
export interface ModelTokenizer {
  readonly tokenizer: Tokenizer;
  readonly ends: readonly number[];
  readonly addsBos: boolean;
}

/**
 * tokenizer.json with what stands beside it, or tokenizer.model.
 * @throws AnemoneError `lm.huggingface` where there is neither, `tokenizer.*`
 */
export async function folderTokenizer(folder: string, config: HuggingFaceConfig): Promise<ModelTokenizer> {
  const settings = await jsonIfThere(join(folder, 'generation_config.json'));
  const named = settings['eos_token_id'] ?? config['eos_token_id'];
  const own = [named].flat().filter((id): id is number => Number.isInteger(id) && (id as number) >= 0);
  if (existsSync(join(folder, 'tokenizer.json'))) {
    const tokenizer = openHuggingFaceTokenizer(folder);
    const [first] = tokenizer.textToIdsWithSpecials('a');
    const addsBos = tokenizer.bosId >= 0 && first === tokenizer.bosId;
    return { tokenizer, ends: withOwn(own, tokenizer), addsBos };
  }
  const model = join(folder, 'tokenizer.model');
  if (existsSync(model)) {
    const read = (path: string) => readRegularFileSync(path);
    const tokenizer = loadTokenizer({ type: 'bpe', model_path: model }, 'tokenizer', read);
    return { tokenizer, ends: withOwn(own, tokenizer), addsBos: true };
  }
  throw new AnemoneError({
    code: 'lm.huggingface',
    position: { file: folder },
    message: 'there is no tokenizer in the folder',
    hint: 'tokenizer.json or tokenizer.model belongs beside config.json',
  });
}

function withOwn(own: readonly number[], { eosId }: Tokenizer): readonly number[] {
  return [...new Set([...own, ...(eosId >= 0 ? [eosId] : [])])];
}

async function jsonIfThere(file: string): Promise<Readonly<Record<string, unknown>>> {
  if (!existsSync(file)) return {};
  return readJson(file, recordOf('any'), { code: 'lm.huggingface', prefix: 'lm' });
}
