// `anemone tokenizer train`: transcripts to a SentencePiece or WordPiece model, in the folder layout NeMo uses, and texts to
// byte-level BPE;
// `anemone tokenizer special`: the special tokens of multitask models.
import type { Command } from 'commander';
import { printable } from '../errors/index.js';
import { refuseOverrides } from './file-lists.js';
import { inWordsOf } from './option-words.js';
import { show } from './print.js';
import { requireOptions } from './strict-options.js';

interface TokenizerOptions {
  readonly manifest: string[];
  readonly text: string[];
  readonly out: string;
  readonly vocabSize: string;
  readonly type: string;
  readonly characterCoverage?: string;
  readonly normalization?: string;
  readonly lowerCase: boolean;
  readonly specials: boolean;
  readonly words?: string;
  readonly minFrequency?: string;
  readonly specialTokens?: string[];
  readonly jsonKey: string;
  readonly hardVocabLimit: boolean;
  readonly maxSentenceLength?: string;
}

/** Bytes of one text to train on: as long as a string can be. */
const MAX_TEXT = 2 ** 29;

/** What the trainers' options are called here. */
const OPTION_WORDS = {
  'hardVocabLimit: false': '--no-hard-vocab-limit',
  vocabSize: '--vocab-size',
  characterCoverage: '--character-coverage',
  maxSentenceLength: '--max-sentence-length',
  modelType: '--type',
  normalization: '--normalization',
  lowercase: '--lower-case',
  dataRoot: '--out',
  words: '--words',
  minFrequency: '--min-frequency',
  specials: '--special-tokens',
};

export function register(program: Command): void {
  const tokenizer = program.command('tokenizer').description('Tokenizers.');
  const specialCommand = tokenizer
    .command('special')
    .description(
      'Make the tokenizer of special tokens (spl_tokens) of a multitask model; begin, end, padding and pnc are always there.',
    )
    .argument('<tokens...>', 'languages and tasks, such as en de transcribe translate')
    .option('--out <dir>', 'folder to write, for model.tokenizer.langs.spl_tokens.dir (required)')
    .action(special);
  requireOptions(specialCommand, '--out');
  const trainCommand = tokenizer
    .command('train')
    .description(
      'Train a SentencePiece or WordPiece tokenizer; writes DIR/tokenizer_spe_TYPE_vSIZE or DIR/tokenizer_wpe_vSIZE for model.tokenizer.dir. --type byte-bpe: byte-level BPE for language models; writes DIR/tokenizer_byte_bpe_vSIZE for model.tokenizer.type, with library: huggingface.',
    )
    .option('--manifest <file...>', 'take the transcripts of manifests', [])
    .option(
      '--text <file...>',
      'take text files, a sentence a line; byte-bpe: documents of .txt, .jsonl, also as .gz',
      [],
    )
    .option('--out <dir>', 'folder to make the tokenizer folder in', '.')
    .option('--vocab-size <n>', 'number of tokens, special ones included (required)')
    .option('--type <type>', 'bpe, unigram, char or word (SentencePiece), wpe (WordPiece), byte-bpe', 'bpe')
    .option('--character-coverage <share>', 'share of the characters that must be covered, 0.98 to 1')
    .option('--normalization <name>', 'identity, nfkc, nmt_nfkc, nfkc_cf or nmt_nfkc_cf (default nmt_nfkc)')
    .option('--lower-case', 'lower-case the text first; with wpe, strip its accents too', false)
    .option('--no-hard-vocab-limit', 'make a smaller vocabulary where the text allows none of this size')
    .option('--max-sentence-length <bytes>', 'longer lines are left out (default: 4192)')
    .option('--specials', 'add <s> and </s>', false)
    .option(
      '--words <name>',
      'byte-bpe: words of gpt2 (default), gpt2-digits, llama3, qwen2, o200k, tekken or deepseek',
    )
    .option('--min-frequency <n>', 'byte-bpe: pairs that are rarer are not merged (default 2)')
    .option(
      '--special-tokens <text...>',
      'byte-bpe: tokens that stand for themselves, the end of a text first (default <|endoftext|>)',
    )
    .option('--json-key <key>', 'byte-bpe: key of the text in JSON lines', 'text')
    .action(train);
  requireOptions(trainCommand, '--vocab-size');
}

async function special(tokens: string[], { out }: { readonly out: string }): Promise<void> {
  const { trainSpecialTokenizer } = await import('../text/index.js');
  const vocabulary = trainSpecialTokenizer(tokens, out);
  show(`${printable(out)}: ${vocabulary.length} tokens\n`);
}

async function train(options: TokenizerOptions): Promise<void> {
  const vocabSize = Number(options.vocabSize);
  if (!Number.isInteger(vocabSize) || vocabSize < 1) {
    const { AnemoneError } = await import('../errors/index.js');
    throw new AnemoneError({ code: 'cli.option', path: '--vocab-size', message: 'expected an integer ≥ 1' });
  }
  if (options.type === 'byte-bpe') {
    await byteBpe(options, vocabSize);
    return;
  }
  await refuseOthers(options, '--type byte-bpe', byteBpeOptions(options));
  const lines = await trainingLines(options);
  const { dir, pieces } = await inWordsOf<{ dir: string; pieces: readonly unknown[] }>(OPTION_WORDS, () =>
    options.type === 'wpe' ? wordPiece(options, vocabSize, lines) : sentencePiece(options, vocabSize, lines),
  );
  show(`${printable(dir)}: ${pieces.length} tokens from ${lines.length} lines\n`);
}

async function sentencePiece(options: TokenizerOptions, vocabSize: number, lines: string[]) {
  const { trainTokenizerFolder } = await import('../text/index.js');
  const { characterCoverage: coverage, maxSentenceLength: longest } = options;
  return trainTokenizerFolder({
    lines: options.lowerCase ? lines.map((line) => line.toLowerCase()) : lines,
    dataRoot: options.out,
    vocabSize,
    modelType: options.type as 'bpe',
    ...(coverage === undefined ? {} : { characterCoverage: Number(coverage) }),
    ...(longest === undefined ? {} : { maxSentenceLength: Number(longest) }),
    hardVocabLimit: options.hardVocabLimit,
    ...(options.normalization === undefined ? {} : { normalization: options.normalization }),
    ...(options.specials ? {} : { bosId: -1, eosId: -1 }),
  });
}

async function wordPiece(options: TokenizerOptions, vocabSize: number, lines: string[]) {
  await refuseOthers(options, 'SentencePiece', sentencePieceOptions(options));
  const { trainWordPieceFolder } = await import('../text/index.js');
  return trainWordPieceFolder({
    lines,
    dataRoot: options.out,
    vocabSize,
    lowercase: options.lowerCase,
  });
}

/** Options of one kind of tokenizer, by how they are written; undefined where they are not given. */
type KindOptions = Readonly<Record<string, unknown>>;

function sentencePieceOptions(options: TokenizerOptions): KindOptions {
  const { characterCoverage, normalization, specials, hardVocabLimit, maxSentenceLength } = options;
  return {
    '--character-coverage': characterCoverage,
    '--normalization': normalization,
    '--no-hard-vocab-limit': hardVocabLimit ? undefined : true,
    '--max-sentence-length': maxSentenceLength,
    '--specials': specials || undefined,
  };
}

function byteBpeOptions({ words, minFrequency, specialTokens }: TokenizerOptions): KindOptions {
  return { '--words': words, '--min-frequency': minFrequency, '--special-tokens': specialTokens };
}

/** Options of another kind are no options of this one. */
async function refuseOthers({ type }: TokenizerOptions, kind: string, given: KindOptions): Promise<void> {
  const first = Object.entries(given).find(([, value]) => value !== undefined);
  if (!first) return;
  const { AnemoneError } = await import('../errors/index.js');
  const message = `is for ${kind}, not for --type ${type}`;
  throw new AnemoneError({ code: 'cli.option', path: first[0], message });
}

async function byteBpe(options: TokenizerOptions, vocabSize: number): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  await refuseOthers(options, 'SentencePiece', sentencePieceOptions(options));
  if (options.lowerCase)
    throw new AnemoneError({
      code: 'cli.option',
      path: '--lower-case',
      message: 'is not for --type byte-bpe',
    });
  if (options.manifest.length + options.text.length === 0)
    throw new AnemoneError({ code: 'cli.option', message: 'no text to train on', hint: 'give --text or --manifest' }); // biome-ignore format: one line
  refuseOverrides('--manifest', options.manifest);
  refuseOverrides('--text', options.text);
  const { ByteBpeTrainer, writeByteBpeFolder } = await import('../text/index.js');
  const { documentParts, readManifests } = await import('../data/index.js');
  const { words, minFrequency, specialTokens: specials } = options;
  const trainer = await inWordsOf(OPTION_WORDS, async () => {
    return new ByteBpeTrainer({
      vocabSize,
      ...(words !== undefined && { words: words as 'gpt2' }),
      ...(minFrequency !== undefined && { minFrequency: Number(minFrequency) }),
      ...(specials && { specials }),
    });
  });
  if (options.manifest.length > 0)
    for (const { text } of await readManifests(options.manifest)) if (text) trainer.add(text);
  for (const file of options.text)
    for await (const { text } of documentParts(file, { jsonKeys: [options.jsonKey] })) trainer.add(text);
  const tokenizer = trainer.train();
  const dir = writeByteBpeFolder(tokenizer, options.out, vocabSize);
  show(`${printable(dir)}: ${tokenizer.vocabSize} tokens\n`);
}

async function trainingLines({ manifest, text }: TokenizerOptions): Promise<string[]> {
  const { AnemoneError } = await import('../errors/index.js');
  if (manifest.length + text.length === 0) {
    throw new AnemoneError({
      code: 'cli.option',
      message: 'no text to train on',
      hint: 'give --manifest or --text',
    });
  }
  refuseOverrides('--manifest', manifest);
  refuseOverrides('--text', text);
  const lines: string[] = [];
  if (manifest.length > 0) {
    const { readManifests } = await import('../data/index.js');
    for (const entry of await readManifests(manifest)) if (entry.text) lines.push(entry.text);
  }
  const { decodeUtf8, readRegularFile } = await import('../formats/index.js');
  for (const file of text) {
    const content = decodeUtf8(await readRegularFile(file, { maxBytes: MAX_TEXT }), file);
    for (const line of content.split(/\r?\n/)) if (line.trim() !== '') lines.push(line);
  }
  if (lines.length === 0)
    throw new AnemoneError({ code: 'cli.no-text', message: 'the given files hold no text' });
  return lines;
}
