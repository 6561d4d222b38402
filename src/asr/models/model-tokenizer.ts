// The tokenizer that a `model` section asks for: a tokenizer section, or characters.
import { hasTarget } from '../../config/index.js';
import { type Container, READ_FILE } from '../../container/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Section } from '../../model/index.js';
import {
  CharTokenizer,
  loadTokenizer,
  type Tokenizer,
  type TokenizerConfig,
  tokenizerKind,
} from '../../text/index.js';

/** NeMo's older configs write the characters where they are used: in the decoder, the joint, or the data. */
function labelsOf(config: Section): readonly string[] | undefined {
  const places = [config, ...['joint', 'decoder', 'train_ds'].map((key) => config[key] as Section | null)];
  const lists = places.flatMap((place) => [place?.['vocabulary'], place?.['labels']]);
  return lists.find((list) => Array.isArray(list) && list.length > 0) as readonly string[] | undefined;
}

/**
 * @param section the checked `tokenizer` section; @param config the whole `model` section
 * @throws AnemoneError `asr.no-tokenizer`, and what `loadTokenizer` or a component throws
 */
export function tokenizerOf(section: unknown, config: Section, container: Container): Tokenizer {
  if (hasTarget(section)) return container.instantiate(section, tokenizerKind);
  if (section)
    return loadTokenizer(section as TokenizerConfig, 'model.tokenizer', container.resolve(READ_FILE));
  const labels = labelsOf(config);
  if (labels) return new CharTokenizer(labels);
  throw new AnemoneError({
    code: 'asr.no-tokenizer',
    path: 'model',
    message: 'there is neither a tokenizer section nor labels',
    hint: 'give model.tokenizer (for BPE) or model.labels (for characters)',
  });
}
