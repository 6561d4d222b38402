// `anemone data check`: what a language model would be trained on, and what is wrong with it.
import { styleText } from 'node:util';
import type { Command } from 'commander';
import type { ConfigNode } from '../config/index.js';
import type { ShownSample, TextCheckOptions, TextFinding } from '../data/index.js';
import type { Tokenizer } from '../text/index.js';
import { wholeNumber } from './option-number.js';
import { show, showJson } from './print.js';

interface CheckFlags {
  readonly config?: string;
  readonly tokenizer?: string;
  readonly checkpoint?: string;
  readonly seqLength?: number;
  readonly jsonKey: string;
  readonly eodMaskLoss?: boolean;
  readonly samples: number;
  readonly json?: boolean;
}

export function register(program: Command): void {
  const data = program.command('data').description('Look at texts for language models.');
  data
    .command('check')
    .description(
      'Check indexed sets and text files: documents, tokens, samples with their targets, and everything odd. Exits with 2 when something makes them unfit for training.',
    )
    .argument('[sets...]', 'indexed sets without .bin and .idx, or text files; default: those of --config')
    .option('--config <yaml>', 'take tokenizer, sets, length and masks from a training config')
    .option('--tokenizer <path>', 'folder of tokenizer.json, a SentencePiece .model, or byte-level')
    .option('--checkpoint <path>', 'a trained model: whether the tokenizer is its own')
    .option('--seq-length <n>', 'tokens of a sample (default: 1024)', wholeNumber(1))
    .option('--json-key <key>', 'key of the text in JSON lines', 'text')
    .option('--eod-mask-loss', 'the end of a document is no target')
    .option('--samples <n>', 'samples shown of each set, what is no target in brackets', wholeNumber(0), 1)
    .option('--json', 'print the whole report as JSON')
    .action(check);
}

async function check(sets: string[], flags: CheckFlags): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const { checkTextSet, shownSamples, vocabularyFindings } = await import('../data/index.js');
  const configured = flags.config === undefined ? undefined : await fromConfig(flags.config);
  const model = flags.checkpoint === undefined ? undefined : await checkpointOf(flags.checkpoint);
  const tokenizer = (await tokenizerOf(flags)) ?? configured?.tokenizer ?? model?.tokenizer;
  const paths = sets.length > 0 ? sets : (configured?.paths ?? []);
  if (!tokenizer) throw new AnemoneError({ code: 'cli.usage', message: 'nothing says how texts become tokens', hint: 'give --config, --tokenizer or --checkpoint' }); // biome-ignore format: one line
  if (paths.length === 0 && !model) throw new AnemoneError({ code: 'cli.usage', message: 'no set is named', hint: 'give sets, or a --config with model.data.data_prefix' }); // biome-ignore format: one line
  const options: TextCheckOptions = {
    tokenizer,
    length: flags.seqLength ?? configured?.length ?? 1024,
    masksEnd: flags.eodMaskLoss ?? configured?.masksEnd ?? false,
    jsonKey: flags.jsonKey,
    model: model && { vocabulary: model.tokenizer.vocabulary, rows: model.rows },
  };
  const ofModel = vocabularyFindings(options);
  const reports = [];
  for (const path of paths) reports.push(await checkTextSet(path, options));
  const findings = [...ofModel, ...reports.flatMap((report) => report.findings)];
  if (flags.json) showJson(`${JSON.stringify({ sets: reports, findings: ofModel }, null, 2)}\n`);
  else {
    if (ofModel.length > 0) show(`${ofModel.map(lineOf).join('\n')}\n`);
    for (const report of reports) {
      const { path, documents, tokens, samples, shortest, longest } = report;
      show(`${path}: ${documents} documents of ${shortest} to ${longest} tokens, ${tokens} tokens, ${samples} samples of ${options.length}\n`); // biome-ignore format: one line
      show(report.findings.map((finding) => `${lineOf(finding)}\n`).join(''));
      const isReadable =
        report.samples > 0 && !report.findings.some(({ kind }) => kind === 'out-of-vocabulary');
      if (isReadable)
        for (const sample of await shownSamples(path, options, flags.samples)) showSample(sample);
    }
    if (findings.length === 0) show('nothing is odd\n');
  }
  if (findings.some(({ fatal }) => fatal)) process.exitCode = 2;
}

function lineOf({ text, fatal }: TextFinding): string {
  return `${fatal ? 'error' : 'warning'}: ${text}`;
}

/** Targets are bright; what is none, the first token among it, is dim and in brackets. */
function showSample({ name, tokens, isTarget }: ShownSample): void {
  const isColoured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
  show(`${name}:\n`);
  for (const [i, token] of tokens.entries()) {
    const counts = i > 0 && isTarget[i - 1];
    if (isColoured) paint(counts ? 'green' : 'dim', () => show(token));
    else show(counts ? token : `[${token}]`);
  }
  show('\n');
}

/** The codes of a colour go to the terminal as they are, what is between is shown as text. */
function paint(style: 'green' | 'dim', write: () => void): void {
  const [before, after] = styleText(style, '\0', { validateStream: false } as never).split('\0');
  process.stdout.write(before);
  write();
  process.stdout.write(after);
}

async function tokenizerOf({ tokenizer }: CheckFlags): Promise<Tokenizer | undefined> {
  if (tokenizer === undefined) return undefined;
  const { languageTokenizer } = await import('../text/index.js');
  if (tokenizer === 'byte-level') return languageTokenizer({ library: 'byte-level' });
  if (tokenizer.endsWith('.model')) return languageTokenizer({ library: 'sentencepiece', model: tokenizer });
  return languageTokenizer({ library: 'huggingface', type: tokenizer });
}

async function fromConfig(file: string) {
  const { loadConfig } = await import('../config/index.js');
  const { configuredTexts } = await import('../lm/index.js');
  return configuredTexts(loadConfig(file)['model'] as ConfigNode);
}

async function checkpointOf(path: string): Promise<{ tokenizer: Tokenizer; rows: number }> {
  const { AnemoneError } = await import('../errors/index.js');
  const { MegatronGPTModel, PretrainedLanguageModel } = await import('../lm/index.js');
  const { Trainer } = await import('../training/index.js');
  if (PretrainedLanguageModel.isAt(path)) {
    const trainer = new Trainer({});
    try {
      const { tokenizer, network } = await PretrainedLanguageModel.open(path, trainer.engine);
      return { tokenizer, rows: network.options.vocabulary };
    } finally {
      await trainer.dispose();
    }
  }
  const { loadTrainedModel } = await import('./trained-model.js');
  const { model, trainer } = await loadTrainedModel(path, { overrides: [], weights: 'auto' });
  await trainer.dispose();
  if (model instanceof MegatronGPTModel)
    return { tokenizer: model.tokenizer, rows: model.network.options.vocabulary };
  throw new AnemoneError({ code: 'cli.no-language-model', message: `${path} holds no language model` });
}
