// A section of prompts and answers, opened.
import { AnswerSource, type ChatText, readAnswerRows } from '../../data/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Tokenizer } from '../../text/index.js';
import type { RowsConfig } from './tuning-schema.js';

/** What the model says of its rows. */
export interface RowsContext {
  readonly section: string;
  readonly training: boolean;
  readonly seed: number;
  readonly batchSize: number;
  readonly answerOnly: boolean;
  /** Most positions of the network. */
  readonly positions: number;
  readonly tokenizer: Tokenizer;
  readonly chat?: ChatText | undefined;
}

/**
 * One source for training, and one for each file otherwise.
 * @throws AnemoneError `data.*` for what is wrong with section or rows
 */
export async function openRows(config: RowsConfig, context: RowsContext): Promise<AnswerSource[]> {
  const { section, training, tokenizer, positions } = context;
  const path = `model.data.${section}`;
  if (config.file_names.length === 0)
    throw new AnemoneError({ code: 'trainer.no-data', path: `${path}.file_names`, message: 'no file is named' }); // biome-ignore format: one line
  const length = Math.min(config.max_seq_length, positions + 1);
  const options = {
    encode: (text: string) => tokenizer.textToIds(text),
    template: config.prompt_template,
    labelKey: config.label_key,
    truncated: (config.truncation_field ?? '').split(',').map((key) => key.trim()),
    cut: config.truncation_method,
    length,
    answerOnly: context.answerOnly,
    bos: config.add_bos ? needed(tokenizer.bosId, `${path}.add_bos`, 'beginning') : undefined,
    separator: config.add_sep ? needed(tokenizer.eosId, `${path}.add_sep`, 'end') : undefined,
    eos: config.add_eos ? needed(tokenizer.eosId, `${path}.add_eos`, 'end') : undefined,
    chat: context.chat,
    section: path,
  };
  const files = [];
  for (const file of config.file_names) files.push(await readAnswerRows(file, options));
  const sets = training ? [files.flat()] : files;
  return sets.map(
    (rows, i) =>
      new AnswerSource(rows, {
        name: training ? section : (config.names?.[i] ?? nameOf(config.file_names[i])),
        length: Math.min(config.max_seq_length, positions),
        batchSize: context.batchSize,
        training,
        shuffles: config.shuffle,
        dropsLast: config.drop_last,
        seed: context.seed,
        packs: config.packed_sequence,
        padding: Math.max(tokenizer.eosId, 0),
      }),
  );
}

function needed(id: number, path: string, what: string): number {
  if (id >= 0) return id;
  throw new AnemoneError({
    code: 'data.no-token',
    path,
    message: `the tokenizer has no token for the ${what} of a text`,
    hint: `set ${path}=false`,
  });
}

function nameOf(file: string): string {
  return file.replace(/^.*[/\\]/, '').replace(/\.\w+$/, '');
}
