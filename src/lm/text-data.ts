// The `data` section of a language model, opened: which sets, which part of them, which samples.
import { existsSync } from 'node:fs';
import {
  BlendedSamples,
  blendCounts,
  IndexedSamples,
  RowSamples,
  readTokenSet,
  type SampleSet,
  splitBounds,
  type TokenSet,
  TokenSource,
} from '../data/index.js';
import { AnemoneError } from '../errors/index.js';
import { IndexedDataset } from '../formats/index.js';
import type { BatchSource, DataLimits } from '../model/index.js';
import { byteLengths, type Tokenizer } from '../text/index.js';
import { type DataPrefix, prefixesOf, SPLITS, type Split } from './data-prefix.js';
import type { GptModelConfig, LmDataConfig } from './gpt-schema.js';

export type { Split } from './data-prefix.js';

/** What is the same for all sets of a split. */
interface Wanted {
  readonly data: LmDataConfig;
  readonly split: Split;
  /** Whether the sets are cut by splits_string. */
  readonly isShared: boolean;
  readonly length: number;
  readonly dropsLast: boolean;
}

/** Opens the sets of a language model's config. */
export class TextData {
  /** Rows of text files by the paths that they are read from. */
  private readonly rows = new Map<string, Promise<TokenSet>>();
  private tokenBytes: Uint16Array | undefined;

  constructor(
    private readonly config: GptModelConfig,
    private readonly tokenizer: Tokenizer,
  ) {}

  /** @throws AnemoneError `data.*`, `indexed.*` for what is wrong with section or files */
  async open(split: Split, limits: DataLimits = {}): Promise<BatchSource | undefined> {
    const { data, micro_batch_size: batchSize, encoder_seq_length } = this.config;
    if (!data) return undefined;
    const prefixes = prefixesOf(data.data_prefix);
    const isShared = prefixes.train !== undefined && !prefixes.validation && !prefixes.test;
    const prefix = prefixes[split] ?? (isShared ? prefixes.train : undefined);
    if (!prefix) return undefined;
    const length = data.seq_length ?? encoder_seq_length;
    const dropsLast = split === 'train' || (split === 'validation' && data.validation_drop_last);
    const samples = await this.samplesOf(prefix, { data, split, isShared, length, dropsLast }, limits);
    if (!samples) return undefined;
    return new TokenSource(samples, {
      name: split,
      length,
      batchSize,
      training: split === 'train',
      end: this.end,
      masksEnd: data.eod_mask_loss,
      resetsPositions: data.reset_position_ids,
      separatesDocuments: data.reset_attention_mask,
    });
  }

  private async samplesOf(
    { paths, weights }: DataPrefix,
    wanted: Wanted,
    { maxSteps }: DataLimits,
  ): Promise<SampleSet | undefined> {
    const total = maxSteps === undefined || wanted.split !== 'train' ? undefined : maxSteps * this.config.global_batch_size; // biome-ignore format: one line
    const areIndexed = paths.map((path) => existsSync(`${path}.idx`) || existsSync(`${path}.bin`));
    if (!weights && areIndexed.every((isIndexed) => !isIndexed)) return this.rowSamples(paths, wanted);
    const counts = weights && total !== undefined ? blendCounts(weights, total) : paths.map(() => undefined);
    const sets: SampleSet[] = [];
    const weightOfSets: number[] = [];
    for (const [i, path] of paths.entries()) {
      const count = paths.length === 1 ? total : counts[i];
      const set = areIndexed[i] ? await this.indexedSamples(path, wanted, count) : await this.rowSamples([path], wanted); // biome-ignore format: one line
      if (!set) continue;
      sets.push(set);
      weightOfSets.push(weights?.[i] ?? set.count);
    }
    if (sets.length <= 1) return sets[0];
    // Sets that are evaluated are read one after the other, each once.
    const own = wanted.split === 'train' ? weightOfSets : sets.map((set) => set.count);
    const inAll = sets.reduce((sum, set) => sum + set.count, 0);
    return new BlendedSamples(sets, own, wanted.split === 'train' ? (total ?? inAll) : inAll);
  }

  private async rowSamples(paths: readonly string[], wanted: Wanted): Promise<SampleSet | undefined> {
    const { data, split, isShared, length, dropsLast } = wanted;
    const whole = await this.row(paths);
    const set = isShared ? part(whole, sharesOf(data.splits_string), split) : whole;
    if (!set) return undefined;
    const shuffles = split === 'train';
    return new RowSamples(set, { name: split, length, shuffles, seed: this.config.seed, dropsLast });
  }

  private async indexedSamples(
    prefix: string,
    { data, split, isShared, length, dropsLast }: Wanted,
    samples: number | undefined,
  ): Promise<SampleSet | undefined> {
    const set = await IndexedDataset.open(prefix);
    try {
      const shares = sharesOf(isShared ? data.splits_string : '1,0,0');
      const place = isShared ? SPLITS.indexOf(split) : 0;
      const bounds = splitBounds(shares, set.lengths.length);
      if (shares[place] === 0) {
        set.close();
        return undefined;
      }
      this.tokenBytes ??= byteLengths(this.tokenizer);
      return new IndexedSamples(set, {
        name: split,
        first: bounds[place],
        end: bounds[place + 1],
        length,
        seed: this.config.seed,
        samples,
        shuffles: split === 'train',
        dropsLast,
        cache: { prefix, split: split === 'validation' ? 'valid' : split, folder: data.index_mapping_dir ?? undefined }, // biome-ignore format: one line
        tokenBytes: this.tokenBytes,
        vocabSize: this.tokenizer.vocabSize,
      });
    } catch (error) {
      set.close();
      throw error;
    }
  }

  private row(paths: readonly string[]): Promise<TokenSet> {
    const key = paths.join('\n');
    let row = this.rows.get(key);
    if (!row) {
      const jsonKey = this.config.data?.json_key ?? 'text';
      row = readTokenSet(paths, { encode: (text) => this.tokenizer.textToIds(text), end: this.end, jsonKey });
      this.rows.set(key, row);
    }
    return row;
  }

  private get end(): number | undefined {
    return this.tokenizer.eosId >= 0 ? this.tokenizer.eosId : undefined;
  }
}

function sharesOf(splits: string): readonly number[] {
  const shares = splits.split(/[,/]/).map(Number);
  const total = shares.reduce((a, b) => a + b, 0);
  if (shares.length === 3 && shares.every((share) => share >= 0) && total > 0) return shares;
  throw new AnemoneError({
    code: 'data.prefix',
    path: 'model.data.splits_string',
    message: `expected three numbers, got "${splits}"`,
  });
}

/** The share of the tokens that belongs to a split; undefined where it has none. */
function part(whole: TokenSet, shares: readonly number[], split: Split): TokenSet | undefined {
  const total = shares.reduce((a, b) => a + b, 0);
  const index = SPLITS.indexOf(split);
  const before = shares.slice(0, index).reduce((a, b) => a + b, 0);
  const at = (share: number): number => Math.round((whole.tokens.length * share) / total);
  const [start, end] = [at(before), at(before + shares[index])];
  if (shares[index] === 0) return undefined;
  const tokens = whole.tokens.subarray(start, end);
  return { tokens, bytes: (whole.bytes * tokens.length) / whole.tokens.length, documents: whole.documents };
}
