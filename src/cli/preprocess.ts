// `anemone preprocess`: texts to Megatron's indexed sets, with the options of NeMo's preprocess_data_for_megatron.py.
import type { Command } from 'commander';
import type { LanguageTokenizerSection } from '../text/index.js';
import { refuseOverrides } from './file-lists.js';
import { wholeNumber } from './option-number.js';
import { show, tell } from './print.js';
import { requireOptions } from './strict-options.js';

interface PreprocessFlags {
  readonly input: string[];
  readonly outputPrefix: string;
  readonly jsonKeys: string[];
  readonly tokenizer?: string;
  readonly tokenizerLibrary?: string;
  readonly tokenizerType?: string;
  readonly tokenizerModel?: string;
  readonly vocabFile?: string;
  readonly mergeFile?: string;
  readonly appendEod?: boolean;
  readonly workers?: number;
  readonly datasetImpl: string;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export function register(program: Command): void {
  const command = program
    .command('preprocess')
    .description(
      'Texts to indexed sets (.bin, .idx) for model.data.data_prefix, byte for byte those of Megatron. Writes PREFIX_KEY_document.',
    )
    .option('--input <file...>', '.txt, where a file is a document, .jsonl or .json, where a line is; also as .gz', [])
    .option('--output-prefix <path>', 'start of the path of what is written (required)')
    .option('--json-keys <key...>', 'keys of texts in JSON lines, each for a set of its own', ['text'])
    .option('--tokenizer <path>', 'folder of tokenizer.json, a SentencePiece .model, or byte-level')
    .option('--tokenizer-library <name>', 'as model.tokenizer.library: huggingface, sentencepiece, megatron, tiktoken or byte-level') // biome-ignore format: one line
    .option('--tokenizer-type <type>', 'as model.tokenizer.type')
    .option('--tokenizer-model <file>', 'as model.tokenizer.model')
    .option('--vocab-file <file>', 'as model.tokenizer.vocab_file')
    .option('--merge-file <file>', 'as model.tokenizer.merge_file')
    .option('--append-eod', 'put the end of a text after each document')
    .option('--workers <n>', 'threads (default: the cores)', wholeNumber(1))
    .option('--dataset-impl <name>', 'mmap is the one that is written', 'mmap')
    .action(preprocess);
  requireOptions(command, '--output-prefix');
}

async function preprocess(flags: PreprocessFlags): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { availableParallelism } = await import('node:os');
  if (flags.input.length === 0)
    throw new AnemoneError({ code: 'cli.option', path: '--input', message: 'no text is named' });
  refuseOverrides('--input', flags.input);
  if (flags.datasetImpl !== 'mmap')
    throw new AnemoneError({ code: 'cli.option', path: '--dataset-impl', message: `"${flags.datasetImpl}" is not written`, hint: 'mmap is' }); // biome-ignore format: one line
  const tokenizer = await sectionOf(flags);
  const { preprocess: run } = await import('../data/index.js');
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => stop.abort(signal);
  for (const signal of SIGNALS) process.once(signal, onSignal);
  const progress = progressLine();
  try {
    const sets = await run({
      inputs: flags.input,
      outputPrefix: flags.outputPrefix,
      jsonKeys: flags.jsonKeys,
      tokenizer,
      appendEod: flags.appendEod ?? false,
      workers: flags.workers ?? availableParallelism(),
      signal: stop.signal,
      onProgress: progress.update,
    });
    progress.end();
    for (const { prefix, documents, tokens, bytes, empty } of sets)
      show(`${prefix}: ${documents} documents, ${tokens} tokens from ${bytes} bytes of text${empty > 0 ? `; ${empty} documents without tokens are left out` : ''}\n`); // biome-ignore format: one line
  } catch (error) {
    progress.end();
    if (!stop.signal.aborted) throw error;
    const signal = stop.signal.reason as (typeof SIGNALS)[number];
    tell(`${signal}: nothing was written\n`);
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  }
}

async function sectionOf(flags: PreprocessFlags): Promise<LanguageTokenizerSection> {
  const { AnemoneError } = await import('../errors/index.js');
  const { tokenizer, tokenizerLibrary: library, tokenizerType: type, tokenizerModel: model } = flags;
  const libraries = ['huggingface', 'sentencepiece', 'megatron', 'tiktoken', 'byte-level'] as const;
  if (tokenizer !== undefined) {
    if (tokenizer === 'byte-level') return { library: 'byte-level' };
    if (tokenizer.endsWith('.model')) return { library: 'sentencepiece', model: tokenizer };
    return { library: 'huggingface', type: tokenizer };
  }
  const known = libraries.find((name) => name === library);
  if (library === undefined)
    throw new AnemoneError({ code: 'cli.option', path: '--tokenizer', message: 'nothing says how texts become tokens', hint: 'give --tokenizer DIR with a tokenizer.json, or --tokenizer-library' }); // biome-ignore format: one line
  if (!known) throw new AnemoneError({ code: 'cli.option', path: '--tokenizer-library', message: `there is no "${library}"`, hint: `one of ${libraries.join(', ')}` }); // biome-ignore format: one line
  return { library: known, type, model, vocab_file: flags.vocabFile, merge_file: flags.mergeFile };
}

/** A line that is written over on a terminal, and a new one each half minute elsewhere. */
function progressLine() {
  const started = performance.now();
  const isLive = process.stderr.isTTY;
  let last = started;
  let isOpen = false;
  const update = ({
    documents,
    tokens,
    bytes,
  }: {
    documents: number;
    tokens: number;
    bytes: number;
  }): void => {
    const now = performance.now();
    if (now - last < (isLive ? 200 : 30_000)) return;
    last = now;
    const rate = bytes / 1e6 / ((now - started) / 1000);
    const line = `${documents} documents, ${tokens} tokens, ${(bytes / 1e6).toFixed(1)} MB of text, ${rate.toFixed(1)} MB/s`;
    if (isLive) process.stderr.write(`\r${line}`);
    else tell(`${line}\n`);
    isOpen = isLive;
  };
  const end = (): void => {
    if (isOpen) process.stderr.write('\n');
    isOpen = false;
  };
  return { update, end };
}
