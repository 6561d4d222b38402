// What is in sets of tokens, and what is wrong with them, before a training run finds out.
import { existsSync } from 'node:fs';
import { IndexedDataset } from '../../formats/index.js';
import { TextStream, type Tokenizer } from '../../text/index.js';
import { IndexedSamples } from './indexed-samples.js';
import { RowSamples } from './row-samples.js';
import type { SampleSet } from './sample-set.js';
import { readTokenSet, type TokenSet } from './token-set.js';
import { TokenSource } from './token-source.js';

/** How texts are looked at. */
export interface TextCheckOptions {
  readonly tokenizer: Tokenizer;
  /** Tokens of a sample. */
  readonly length: number;
  /** The end of a document is no target. */
  readonly masksEnd?: boolean;
  readonly jsonKey?: string;
  /** What a model was trained with: its tokens, and how many it has rows for. */
  readonly model?: { readonly vocabulary: readonly string[]; readonly rows: number } | undefined;
}

/** Something wrong, or odd. */
export interface TextFinding {
  readonly kind:
    | 'double-bos'
    | 'missing-eos'
    | 'no-targets'
    | 'unknown'
    | 'out-of-vocabulary'
    | 'other-vocabulary';
  readonly count: number;
  /** In words, with the first place. */
  readonly text: string;
  /** A run would fail, or learn nothing sensible. */
  readonly fatal: boolean;
}

/** What is in a set. */
export interface TextSetReport {
  readonly path: string;
  readonly documents: number;
  readonly tokens: number;
  readonly samples: number;
  readonly shortest: number;
  readonly longest: number;
  readonly findings: readonly TextFinding[];
}

/** Tokens that are looked at at once. */
const PART = 2 ** 20;

/** Looks through a set of texts for what would harm training. @throws AnemoneError for files that cannot be read */
export async function checkTextSet(path: string, options: TextCheckOptions): Promise<TextSetReport> {
  const set = await openSet(path, options);
  try {
    const counts = new DocumentCounts(options.tokenizer);
    for (const document of set.documents()) counts.add(document);
    const isReadable = counts.foreign === 0;
    const samples = isReadable && counts.tokens > 1 ? set.samples() : undefined;
    const empty = samples ? await samplesWithoutTargets(samples, options) : { count: 0, first: 0 };
    const findings = [...counts.findings(), ...targetFindings(empty, samples?.count ?? 0)];
    const { documents, tokens, shortest, longest } = counts;
    return { path, documents, tokens, samples: samples?.count ?? 0, shortest, longest, findings };
  } finally {
    set.close();
  }
}

/** Whether tokenizer and model are of one vocabulary. */
export function vocabularyFindings({ tokenizer, model }: TextCheckOptions): TextFinding[] {
  if (!model) return [];
  const [own, theirs] = [tokenizer.vocabulary, model.vocabulary];
  const length = Math.max(own.length, theirs.length);
  const first = Array.from({ length }, (_, id) => id).find((id) => own[id] !== theirs[id]);
  const finding = (text: string): TextFinding => ({ kind: 'other-vocabulary', count: 1, text, fatal: true });
  if (own.length > model.rows)
    return [finding(`the tokenizer has ${own.length} tokens, the checkpoint rows for ${model.rows}`)];
  if (first === undefined) return [];
  const said = (token: string | undefined): string =>
    token === undefined ? 'nothing' : JSON.stringify(token);
  return [finding(`token ${first} is ${said(own[first])} for the tokenizer and ${said(theirs[first])} for the checkpoint's`)]; // biome-ignore format: one line
}

/** Tokens of a sample, and which of them are targets. */
export interface ShownSample {
  readonly name: string;
  readonly tokens: readonly string[];
  /** Of tokens from the second on: whether they count in the loss. */
  readonly isTarget: readonly boolean[];
}

/** The first samples of a set as they stand, decoded token by token. */
export async function shownSamples(
  path: string,
  options: TextCheckOptions,
  count: number,
): Promise<ShownSample[]> {
  const set = await openSet(path, options);
  try {
    const samples = set.samples();
    const shown: ShownSample[] = [];
    for await (const { inputs, names } of sourceOf(samples, options).epoch(0)) {
      if (shown.length === count) break;
      const mask = inputs['lossMask'].data;
      const ids = samples.at(shown.length);
      const tokens = textsOf(options.tokenizer, ids);
      shown.push({ name: names[0], tokens, isTarget: Array.from(ids.subarray(1), (_, i) => mask[i] === 1) });
    }
    return shown;
  } finally {
    set.close();
  }
}

/** What each token adds to the text, special ones by their names; a character of several tokens stands at its last. */
function textsOf(tokenizer: Tokenizer, ids: Int32Array): string[] {
  const stream = new TextStream(tokenizer);
  return Array.from(ids, (id) =>
    tokenizer.idsToText([id]) === '' ? tokenizer.idsToTokens([id])[0] : stream.push(id),
  );
}

interface OpenSet {
  /** Documents in parts; the last of each says so. */
  documents(): Iterable<{ readonly tokens: Int32Array; readonly ends: boolean }>;
  samples(): SampleSet;
  close(): void;
}

async function openSet(path: string, options: TextCheckOptions): Promise<OpenSet> {
  const { length, tokenizer } = options;
  if (!existsSync(`${path}.idx`) && !existsSync(`${path}.bin`))
    return rowSet(await rowOf(path, options), options);
  const set = await IndexedDataset.open(path);
  return {
    *documents() {
      for (const [sequence, count] of set.lengths.entries())
        for (let start = 0; start === 0 || start < count; start += PART) {
          const size = Math.min(PART, count - start);
          yield { tokens: set.read(sequence, start, size), ends: start + size === count };
        }
    },
    samples: () =>
      new IndexedSamples(set, {
        name: path,
        first: 0,
        end: set.lengths.length,
        length,
        seed: 0,
        shuffles: false,
        dropsLast: false,
        vocabSize: tokenizer.vocabSize,
      }),
    close: () => set.close(),
  };
}

function rowOf(path: string, { tokenizer, jsonKey = 'text' }: TextCheckOptions): Promise<TokenSet> {
  const end = tokenizer.eosId >= 0 ? tokenizer.eosId : undefined;
  return readTokenSet([path], { encode: (text) => tokenizer.textToIds(text), end, jsonKey });
}

function rowSet(row: TokenSet, { length, tokenizer }: TextCheckOptions): OpenSet {
  return {
    *documents() {
      for (let start = 0; start < row.tokens.length; ) {
        const end = tokenizer.eosId < 0 ? -1 : row.tokens.indexOf(tokenizer.eosId, start);
        const stop = end < 0 ? row.tokens.length : end + 1;
        yield { tokens: row.tokens.subarray(start, stop), ends: true };
        start = stop;
      }
    },
    samples: () =>
      new RowSamples(row, { name: 'the text', length, shuffles: false, seed: 0, dropsLast: false }),
    close: () => {},
  };
}

function sourceOf(
  samples: SampleSet,
  { length, masksEnd = false, tokenizer }: TextCheckOptions,
): TokenSource {
  const end = tokenizer.eosId >= 0 ? tokenizer.eosId : undefined;
  return new TokenSource(samples, { name: 'check', length, batchSize: 1, training: false, end, masksEnd });
}

async function samplesWithoutTargets(samples: SampleSet, options: TextCheckOptions) {
  let [count, first, number] = [0, 0, 0];
  for await (const { units } of sourceOf(samples, options).epoch(0)) {
    if (units === 0 && count++ === 0) first = number;
    number++;
  }
  return { count, first };
}

function targetFindings({ count, first }: { count: number; first: number }, samples: number): TextFinding[] {
  if (count === 0) return [];
  const text = `${count} of ${samples} samples have no target, the first is sample ${first}`;
  return [{ kind: 'no-targets', count, text, fatal: count === samples }];
}

/** Goes over all tokens once. */
class DocumentCounts {
  documents = 0;
  tokens = 0;
  shortest = Number.POSITIVE_INFINITY;
  longest = 0;
  /** Tokens that the tokenizer does not have. */
  foreign = 0;
  private readonly first = new Map<string, string>();
  private unknown = 0;
  private doubled = 0;
  private endless = 0;
  private current = 0;
  private last = -1;

  constructor(private readonly tokenizer: Tokenizer) {}

  add({ tokens, ends }: { readonly tokens: Int32Array; readonly ends: boolean }): void {
    const { unkId, bosId, eosId, vocabSize } = this.tokenizer;
    for (const id of tokens) {
      if (id < 0 || id >= vocabSize) this.note('foreign', `token ${id}`);
      else if (id === unkId && id !== eosId && id !== bosId) this.note('unknown', '');
      else if (id === bosId && this.last === bosId) this.note('doubled', '');
      this.last = id;
    }
    this.current += tokens.length;
    if (!ends) return;
    if (eosId >= 0 && this.last !== eosId) this.note('endless', '');
    this.shortest = Math.min(this.shortest, this.current);
    this.longest = Math.max(this.longest, this.current);
    this.tokens += this.current;
    this.documents++;
    [this.current, this.last] = [0, -1];
  }

  findings(): TextFinding[] {
    const place = (kind: string): string => `the first in document ${this.first.get(kind)}`;
    const { vocabSize } = this.tokenizer;
    const all: TextFinding[] = [
      { kind: 'out-of-vocabulary', count: this.foreign, text: `${this.foreign} tokens are none of the ${vocabSize} of the tokenizer: ${place('foreign')}`, fatal: true },
      { kind: 'unknown', count: this.unknown, text: `${this.unknown} tokens are the unknown one, ${place('unknown')}`, fatal: false },
      { kind: 'double-bos', count: this.doubled, text: `${this.doubled} times the beginning of a text stands twice, ${place('doubled')}`, fatal: false },
      { kind: 'missing-eos', count: this.endless, text: `${this.endless} of ${this.documents} documents have no end of text, ${place('endless')}; preprocess with --append-eod`, fatal: false },
    ]; // biome-ignore format: a table
    return all.filter(({ count }) => count > 0);
  }

  private note(kind: 'foreign' | 'unknown' | 'doubled' | 'endless', what: string): void {
    if (this[kind]++ === 0) this.first.set(kind, `${this.documents}${what === '' ? '' : ` (${what})`}`);
  }
}
