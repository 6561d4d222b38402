// Texts to Megatron's indexed sets: documents are read in parts, cut into tokens by workers, and written in the order in which
// they stand. Nothing is held but what is under way.
import { AnemoneError } from '../../errors/index.js';
import { IndexedDatasetWriter } from '../../formats/index.js';
import { type LanguageTokenizerSection, languageTokenizer } from '../../text/index.js';
import { WorkerPool, workerModule } from '../workers/index.js';
import { documentParts, type TextPart } from './documents.js';
import { type EncodedTexts, encodeTexts } from './encode-texts.js';

/** What is written, of what, and how. */
export interface PreprocessOptions {
  /** .txt, .jsonl and .json files, each also as .gz. */
  readonly inputs: readonly string[];
  /** Sets are PREFIX_KEY_document. */
  readonly outputPrefix: string;
  /** Keys of texts in JSON lines, each of which becomes a set. Default `text`. */
  readonly jsonKeys?: readonly string[];
  readonly tokenizer: LanguageTokenizerSection;
  /** The end of a text is put after each document. Default false. */
  readonly appendEod?: boolean;
  /** Threads that cut texts into tokens. Default 1: this one. */
  readonly workers?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: PreprocessProgress) => void;
}

/** How far it is. */
export interface PreprocessProgress {
  readonly documents: number;
  readonly tokens: number;
  /** Bytes of text in UTF-8. */
  readonly bytes: number;
}

/** A set that was written. */
export interface PreprocessedSet extends PreprocessProgress {
  /** Path without .bin and .idx. */
  readonly prefix: string;
  /** Documents that have no tokens; they are left out. */
  readonly empty: number;
}

/** Characters that a worker is given at once. */
const TASK = 2 ** 18;

/**
 * Writes a set for each key. Sets appear whole or not at all.
 * @throws AnemoneError `tokenizer.*`, `data.text-file`, `text.not-utf8`, `data.no-text`, `indexed.cannot-write`, `data.no-end`
 */
export async function preprocess(options: PreprocessOptions): Promise<readonly PreprocessedSet[]> {
  const { inputs, outputPrefix, jsonKeys = ['text'], appendEod = false, signal, onProgress } = options;
  const tokenizer = languageTokenizer(options.tokenizer);
  const end = appendEod ? tokenizer.eosId : undefined;
  if (end !== undefined && end < 0)
    throw new AnemoneError({
      code: 'data.no-end',
      message: 'the tokenizer has no end of text that could be put after documents',
      hint: 'leave out --append-eod, or take a tokenizer that has one',
    });
  const encoder = encoderOf(options);
  const sets = new Map<string, SetWriter>();
  const all = [...new Set(jsonKeys)];
  try {
    for (const key of all) {
      const prefix = `${outputPrefix}_${key}_document`;
      const writer = await IndexedDatasetWriter.create(prefix, tokenizer.vocabSize);
      sets.set(key, new SetWriter(prefix, writer, end));
    }
    for await (const [parts, encoded] of inOrder(tasksOf(inputs, all, signal), encoder)) {
      signal?.throwIfAborted();
      let start = 0;
      for (const [i, part] of parts.entries()) {
        const stop = start + encoded.counts[i];
        await (sets.get(part.key) as SetWriter).add(part, encoded.ids.subarray(start, stop));
        start = stop;
      }
      onProgress?.(sumOf(sets.values()));
    }
    const empty = [...sets.values()].find(({ documents }) => documents === 0);
    if (empty)
      throw new AnemoneError({ code: 'data.no-text', message: `there is no text for ${empty.prefix} in ${inputs.join(', ')}` }); // biome-ignore format: one line
    for (const set of sets.values()) await set.writer.finish();
    return [...sets.values()].map(({ prefix, documents, tokens, bytes, empty: left }) => ({ prefix, documents, tokens, bytes, empty: left })); // biome-ignore format: one line
  } catch (error) {
    for (const set of sets.values()) await set.writer.discard();
    throw error;
  } finally {
    await encoder.close();
  }
}

function sumOf(sets: Iterable<PreprocessProgress>): PreprocessProgress {
  let [documents, tokens, bytes] = [0, 0, 0];
  for (const set of sets) {
    documents += set.documents;
    tokens += set.tokens;
    bytes += set.bytes;
  }
  return { documents, tokens, bytes };
}

/** A set under way. */
class SetWriter {
  documents = 0;
  tokens = 0;
  bytes = 0;
  empty = 0;
  private current = 0;

  constructor(
    readonly prefix: string,
    readonly writer: IndexedDatasetWriter,
    private readonly end: number | undefined,
  ) {}

  async add(part: TextPart, ids: Int32Array): Promise<void> {
    await this.writer.add(ids);
    this.current += ids.length;
    this.bytes += Buffer.byteLength(part.text);
    if (!part.ends) return;
    if (this.current === 0) {
      this.empty++;
      return;
    }
    if (this.end !== undefined) await this.writer.add([this.end]);
    this.tokens += this.current + Number(this.end !== undefined);
    this.documents++;
    this.current = 0;
    this.writer.endSequence();
    this.writer.endDocument();
  }
}

interface TextEncoderPool {
  /** Tasks that are under way at once. */
  readonly width: number;
  encode(texts: readonly string[]): Promise<EncodedTexts>;
  close(): Promise<void>;
}

function encoderOf({ workers = 1, tokenizer: section, signal }: PreprocessOptions): TextEncoderPool {
  if (workers <= 1) {
    const tokenizer = languageTokenizer(section);
    return { width: 1, encode: async (texts) => encodeTexts(tokenizer, texts), close: async () => {} };
  }
  const module = workerModule('text/encode-worker');
  const pool = new WorkerPool({ module, threads: workers, data: section });
  return {
    width: 3 * workers,
    encode: (texts) => pool.run<EncodedTexts>(texts, 'a text', signal),
    close: () => pool.close(),
  };
}

/** Parts of documents, as many as a worker is given at once. */
async function* tasksOf(
  inputs: readonly string[],
  jsonKeys: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly TextPart[]> {
  let parts: TextPart[] = [];
  let characters = 0;
  for (const input of inputs)
    for await (const part of documentParts(input, { jsonKeys, signal, partLength: TASK })) {
      parts.push(part);
      characters += part.text.length;
      if (characters < TASK) continue;
      yield parts;
      parts = [];
      characters = 0;
    }
  if (parts.length > 0) yield parts;
}

/** Several tasks are under way; what they give comes in the order of the tasks. */
async function* inOrder(
  tasks: AsyncIterable<readonly TextPart[]>,
  encoder: TextEncoderPool,
): AsyncGenerator<readonly [readonly TextPart[], EncodedTexts]> {
  const underway: { readonly parts: readonly TextPart[]; readonly encoded: Promise<EncodedTexts> }[] = [];
  for await (const parts of tasks) {
    const encoded = encoder.encode(parts.map(({ text }) => text));
    // A later one that fails while an earlier is waited for is told in its turn.
    encoded.catch(() => {});
    underway.push({ parts, encoded });
    if (underway.length < encoder.width) continue;
    const first = underway.shift() as (typeof underway)[number];
    yield [first.parts, await first.encoded];
  }
  for (const { parts, encoded } of underway) yield [parts, await encoded];
}
