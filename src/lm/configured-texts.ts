// The texts of a config, for those who look at them without making its model.
import type { ConfigNode } from '../config/index.js';
import { Container } from '../container/index.js';
import type { Tokenizer } from '../text/index.js';
import { brickComponents } from './bricks.js';
import { prefixesOf } from './data-prefix.js';
import { gptModelSchema } from './gpt-schema.js';
import { modelTokenizer } from './tokenizer.js';

/** Sets, their tokenizer, and how they are cut into samples. */
export interface ConfiguredTexts {
  /** Paths of all splits, each once. */
  readonly paths: readonly string[];
  readonly tokenizer: Tokenizer;
  readonly length: number;
  readonly masksEnd: boolean;
}

/**
 * The texts that a config names, and the tokenizer that cuts them.
 * @param node the `model` section
 * @throws AnemoneErrors with all mistakes of the section, `tokenizer.*`, `data.prefix`
 */
export function configuredTexts(node: ConfigNode): ConfiguredTexts {
  const container = new Container().registerAll(brickComponents);
  const { tokenizer, data, encoder_seq_length } = gptModelSchema.parse(node, {
    lookup: container.components,
  });
  const prefixes = Object.values(prefixesOf(data?.data_prefix));
  return {
    paths: [...new Set(prefixes.flatMap(({ paths }) => paths))],
    tokenizer: modelTokenizer(tokenizer, container),
    length: data?.seq_length ?? encoder_seq_length,
    masksEnd: data?.eod_mask_loss ?? false,
  };
}
