// `anemone manifest check`: what is in a data set, and what is wrong with it, before a training run finds out.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CheckOptions, LossKind } from '../data/index.js';
import { asText } from '../errors/index.js';
import { notNegative, wholeNumber } from './option-number.js';
import { show, showJson } from './print.js';

interface CheckFlags {
  readonly config?: string;
  readonly tokenizer?: string;
  readonly subsampling?: number;
  readonly loss?: string;
  readonly minDuration?: number;
  readonly maxDuration?: number;
  readonly deep?: boolean;
  readonly workers?: number;
  readonly limit: number;
  readonly json?: boolean;
}

export function register(program: Command): void {
  const manifest = program.command('manifest').description('Look at data sets.');
  manifest
    .command('check')
    .description(
      'Check manifests and the recordings they name: hours, histograms, formats, and everything wrong. ' +
        'Exits with 2 when something makes them unfit for training.',
    )
    .argument('[files...]', 'manifests; default: those of --config')
    .option('--config <yaml>', 'take tokenizer, front end, encoder and bounds from a training config')
    .option('--tokenizer <dir>', 'folder of a tokenizer: checks characters, and whether texts fit')
    .option('--subsampling <n>', 'time reduction of the encoder (default: 4)', wholeNumber(1))
    .option('--loss <kind>', 'ctc or rnnt: what transcripts must fit (default: rnnt)')
    .option('--min-duration <seconds>', 'shorter utterances are listed (default: 0.1)', notNegative)
    .option('--max-duration <seconds>', 'longer utterances are listed', notNegative)
    .option('--deep', 'decode every recording to its end, and compare contents')
    .option('--workers <n>', 'worker threads, 0 for none (default: the cores)', wholeNumber(0))
    .option('--limit <n>', 'findings shown of each kind', wholeNumber(0), 5)
    .option('--json', 'print the whole report as JSON')
    .action(check);
}

async function check(files: string[], flags: CheckFlags): Promise<void> {
  const { checkManifests, renderReport, reportToJson } = await import('../data/index.js');
  const { AnemoneError } = await import('../errors/index.js');
  const configured = flags.config === undefined ? undefined : await fromConfig(flags.config);
  const namedFiles = files.length > 0 ? files : (configured?.manifests ?? []);
  if (namedFiles.length === 0) {
    throw new AnemoneError({
      code: 'cli.usage',
      message: 'no manifest is named',
      hint: 'give files, or a --config with train_ds.manifest_filepath',
    });
  }
  const options = await mergeFlags(flags, configured?.options ?? {});
  const isLive = process.stderr.isTTY && !flags.json;
  const onProgress = (done: number, total: number) => {
    if (isLive) process.stderr.write(`\r${done} of ${total} recordings${done === total ? '\n' : ''}`);
  };
  const report = await checkManifests(namedFiles, { ...options, onProgress });
  if (flags.json) showJson(`${JSON.stringify(reportToJson(report), null, 2)}\n`);
  else show(`${renderReport(report, flags.limit)}\n`);
  if (report.fatal) process.exitCode = 2;
}

/** Flags win over the config. */
async function mergeFlags(flags: CheckFlags, configured: CheckOptions): Promise<CheckOptions> {
  const { loadTokenizer } = await import('../text/index.js');
  const { AnemoneError } = await import('../errors/index.js');
  if (flags.loss !== undefined && flags.loss !== 'ctc' && flags.loss !== 'rnnt') {
    throw new AnemoneError({ code: 'cli.usage', message: `--loss is ctc or rnnt, not ${flags.loss}` });
  }
  const tokenizer =
    flags.tokenizer === undefined
      ? configured.tokenizer
      : loadTokenizer({ dir: flags.tokenizer, type: tokenizerType(flags.tokenizer) }, '--tokenizer');
  return {
    ...configured,
    tokenizer,
    subsampling: flags.subsampling ?? configured.subsampling,
    loss: (flags.loss as LossKind | undefined) ?? configured.loss,
    minDuration: flags.minDuration ?? configured.minDuration,
    maxDuration: flags.maxDuration ?? configured.maxDuration,
    deep: flags.deep,
    workers: flags.workers,
  };
}

/** A character tokenizer's folder has its labels, one of WordPiece a vocabulary alone; SentencePiece has a model. */
function tokenizerType(folder: string): string {
  const has = (name: string) => existsSync(join(folder, name));
  if (has('labels.json')) return 'char';
  return has('vocab.txt') && !has('tokenizer.model') ? 'wpe' : 'bpe';
}

/** The parts of a training config that a check needs; the rest may be unfinished. */
async function fromConfig(file: string): Promise<{ manifests: string[]; options: CheckOptions }> {
  const { loadConfig, selectValue } = await import('../config/index.js');
  const { AnemoneError } = await import('../errors/index.js');
  const { MFCC_DEFAULTS } = await import('../audio/index.js');
  const { manifestFiles } = await import('../data/index.js');
  const { loadTokenizer } = await import('../text/index.js');
  const config = loadConfig(file);
  /** `???` and absent keys alike: not known. */
  const value = (path: string): unknown => {
    try {
      return selectValue(config, `model.${path}`) ?? undefined;
    } catch {
      return undefined;
    }
  };
  const manifests = ['train_ds', 'validation_ds', 'test_ds'].flatMap((section) => {
    if (value(`${section}.is_tarred`) === true) {
      throw new AnemoneError({
        code: 'cli.tarred',
        path: `model.${section}.is_tarred`,
        message: 'recordings in archives cannot be checked',
        hint: 'check the data set before it is packed, or its unpacked archives',
      });
    }
    const spec = value(`${section}.manifest_filepath`);
    return spec === undefined ? [] : manifestFiles(spec as string | string[]);
  });
  const labels = value('labels');
  const section = value('tokenizer') ?? (labels === undefined ? undefined : { type: 'char', labels });
  const transducer = value('joint') !== undefined;
  const plainPreprocessor = JSON.parse(JSON.stringify(value('preprocessor') ?? {})) as Record<
    string,
    unknown
  >;
  if (asText(plainPreprocessor['_target_']).endsWith('AudioToMFCCPreprocessor')) {
    plainPreprocessor['n_mfcc'] ??= MFCC_DEFAULTS.n_mfcc;
  }
  delete plainPreprocessor['_target_'];
  return {
    manifests: [...new Set(manifests)],
    options: {
      tokenizer:
        section === undefined
          ? undefined
          : loadTokenizer(section as Parameters<typeof loadTokenizer>[0], 'model.tokenizer'),
      preprocessor: plainPreprocessor,
      subsampling: value('encoder.subsampling_factor') as number | undefined,
      // An attention decoder needs no room for its tokens either.
      loss: transducer || value('transf_decoder') !== undefined ? 'rnnt' : 'ctc',
      minDuration: value('train_ds.min_duration') as number | undefined,
      maxDuration: value('train_ds.max_duration') as number | undefined,
    },
  };
}
