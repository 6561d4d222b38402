// The `data` section of a language model, opened: which files, which part of them, which samples.
import { readTokenSet, type TokenSet, TokenSource } from '../data/index.js';
import { AnemoneError } from '../errors/index.js';
import type { BatchSource } from '../model/index.js';
import type { Tokenizer } from '../text/index.js';
import type { GptModelConfig } from './gpt-schema.js';

const SPLITS = ['train', 'validation', 'test'] as const;
export type Split = (typeof SPLITS)[number];

export class TextData {
  /** Sets by the paths that they are read from. */
  private readonly sets = new Map<string, Promise<TokenSet>>();

  constructor(
    private readonly config: GptModelConfig,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** @throws AnemoneError `data.*` for what is wrong with section or files */
  async open(split: Split): Promise<BatchSource | undefined> {
    const { data, micro_batch_size: batchSize, seed, encoder_seq_length } = this.config;
    if (!data) return undefined;
    const { train, validation, test } = prefixesOf(data.data_prefix);
    const own = { train, validation, test }[split];
    const isShared =
      own === undefined && train !== undefined && validation === undefined && test === undefined;
    const paths = own ?? (isShared ? train : undefined);
    if (!paths) return undefined;
    const whole = await this.read(paths);
    const sharesFiles = train !== undefined && validation === undefined && test === undefined;
    const set = sharesFiles ? part(whole, data.splits_string, split) : whole;
    if (!set) return undefined;
    return new TokenSource(set, {
      name: split,
      length: data.seq_length ?? encoder_seq_length,
      batchSize,
      training: split === 'train',
      seed,
      dropsLast: split === 'train' || (split === 'validation' && data.validation_drop_last),
      end: this.end,
      masksEnd: data.eod_mask_loss,
      resetsPositions: data.reset_position_ids,
      separatesDocuments: data.reset_attention_mask,
    });
  }

  private read(paths: readonly string[]): Promise<TokenSet> {
    const key = paths.join('\n');
    let set = this.sets.get(key);
    if (!set) {
      const jsonKey = this.config.data?.json_key ?? 'text';
      set = readTokenSet(paths, { encode: (text) => this.tokenizer.textToIds(text), end: this.end, jsonKey });
      this.sets.set(key, set);
    }
    return set;
  }

  private get end(): number | undefined {
    return this.tokenizer.eosId >= 0 ? this.tokenizer.eosId : undefined;
  }
}

type Prefixes = Readonly<Partial<Record<Split, readonly string[]>>>;

function prefixesOf(written: unknown): Prefixes {
  if (written === null || written === undefined) return {};
  if (typeof written !== 'object' || Array.isArray(written))
    return { train: pathsOf(written, 'data_prefix') };
  const prefixes: Partial<Record<Split, readonly string[]>> = {};
  for (const [key, value] of Object.entries(written)) {
    if (!(SPLITS as readonly string[]).includes(key))
      throw wrong(`data_prefix.${key}`, `expected ${SPLITS.join(', ')}`);
    if (value !== null) prefixes[key as Split] = pathsOf(value, `data_prefix.${key}`);
  }
  return prefixes;
}

function pathsOf(written: unknown, key: string): readonly string[] {
  const list = [written].flat();
  if (list.some((entry) => typeof entry === 'number'))
    throw wrong(key, 'weights of several sets are not supported yet', 'name the files alone; they are read one after the other'); // biome-ignore format: one line
  if (list.length > 0 && list.every((entry) => typeof entry === 'string' && entry !== ''))
    return list as string[];
  throw wrong(key, 'expected a path or a list of paths');
}

/** The share of the tokens that belongs to a split; undefined where it has none. */
function part(whole: TokenSet, splits: string, split: Split): TokenSet | undefined {
  const shares = splits.split(/[,/]/).map(Number);
  const total = shares.reduce((a, b) => a + b, 0);
  if (shares.length !== 3 || shares.some((share) => !(share >= 0)) || !(total > 0))
    throw wrong('splits_string', `expected three numbers, got "${splits}"`);
  const index = SPLITS.indexOf(split);
  const before = shares.slice(0, index).reduce((a, b) => a + b, 0);
  const at = (share: number): number => Math.round((whole.tokens.length * share) / total);
  const [start, end] = [at(before), at(before + shares[index])];
  if (shares[index] === 0) return undefined;
  const tokens = whole.tokens.subarray(start, end);
  return { tokens, bytes: (whole.bytes * tokens.length) / whole.tokens.length, documents: whole.documents };
}

function wrong(key: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'data.prefix', path: `model.data.${key}`, message, hint });
}
