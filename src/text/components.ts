// Tokenizers as components, by the names of NeMo's classes: what `model.tokenizer._target_` may name. The same sections
// without `_target_` say by `type` which is meant.
import { defineSchema, type FieldDefinitions, listOf, recordOf } from '../config/index.js';
import { type ComponentDescriptor, component, READ_FILE } from '../container/index.js';
import { loadTokenizer, type TokenizerConfig } from './load-tokenizer.js';
import { tokenizerKind } from './tokenizer-kind.js';

const optional = { nullable: true, default: null } as const;

/** Keys of a tokenizer section, whatever its kind. */
export const tokenizerFields = {
  dir: { doc: 'Folder with tokenizer.model, or vocab.txt for type: wpe.', format: 'string', ...optional },
  model_path: { doc: 'The SentencePiece model itself, instead of dir.', format: 'string', ...optional },
  vocab_path: { doc: 'Vocabulary file, for type: wpe and word.', format: 'string', ...optional },
  labels: { doc: 'Characters, for type: char.', format: listOf('string'), ...optional },
  unk_token: { doc: 'Stands for unknown tokens.', format: 'string', ...optional },
  lowercase: { doc: 'Lower-case transcripts first.', format: 'boolean', default: false },
  hf_kwargs: {
    doc: 'Special tokens for type: wpe; only null is understood, for the usual ones.',
    format: 'mapping',
    ...optional,
  },
  langs: {
    doc: 'A tokenizer section for each language, for type: agg.',
    format: recordOf('any'),
    ...optional,
  },
  custom_tokenizer: {
    doc: 'NeMo’s class for multitask models, by its _target_: CanaryTokenizer (agg) or CanaryBPETokenizer (bpe).',
    format: 'any',
    ...optional,
  },
} as const satisfies FieldDefinitions;

const TOKENIZERS = 'nemo.collections.common.tokenizers';

function tokenizer(
  type: string,
  name: string,
  doc: string,
  keys: readonly (keyof typeof tokenizerFields)[],
  aliases: readonly string[],
): ComponentDescriptor {
  const fields: FieldDefinitions = Object.fromEntries(keys.map((key) => [key, tokenizerFields[key]]));
  return component({
    kind: tokenizerKind,
    name,
    aliases: aliases.map((path) => (path.includes('.') ? `${TOKENIZERS}.${path}` : path)),
    schema: defineSchema(name, fields, {
      doc,
      ignored: { spe_tokenizer_vocab: 'the model file has the vocabulary' },
    }),
    inject: { read: READ_FILE },
    create: (config, { read }) =>
      loadTokenizer({ ...config, type } as unknown as TokenizerConfig, 'model.tokenizer', read),
  });
}

/** The tokenizers that `tokenizer.type` may name, NeMo's. */
export const tokenizerComponents: readonly ComponentDescriptor[] = [
  tokenizer(
    'bpe',
    'SentencePieceTokenizer',
    'Pieces of a SentencePiece model.',
    ['dir', 'model_path', 'vocab_path', 'custom_tokenizer'],
    ['sentencepiece_tokenizer.SentencePieceTokenizer'],
  ),
  tokenizer(
    'wpe',
    'WordPieceTokenizer',
    'WordPiece, by a vocabulary of one token a line.',
    ['dir', 'vocab_path', 'lowercase', 'hf_kwargs'],
    ['AutoTokenizer', 'huggingface.auto_tokenizer.AutoTokenizer'],
  ),
  tokenizer(
    'char',
    'CharTokenizer',
    'Each character is a token.',
    ['dir', 'labels', 'unk_token', 'lowercase'],
    ['char_tokenizer.CharTokenizer'],
  ),
  tokenizer(
    'word',
    'WordTokenizer',
    'Each word is a token.',
    ['dir', 'vocab_path', 'unk_token'],
    ['word_tokenizer.WordTokenizer'],
  ),
  tokenizer(
    'agg',
    'AggregateTokenizer',
    'A tokenizer for each language.',
    ['langs', 'custom_tokenizer'],
    ['aggregate_tokenizer.AggregateTokenizer'],
  ),
];
