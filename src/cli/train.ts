// `anemone train`: a config to a trained model, validated on the way and tested at the end.
import type { Command } from 'commander';
import type { Adaptation } from '../asr/index.js';
import type { Config, ConfigNode, ConfigWarning } from '../config/index.js';
import { printable } from '../errors/index.js';
import type { BatchSource } from '../model/index.js';
import { wholeNumber } from './option-number.js';
import { containerWith, importOption } from './own-components.js';
import { show } from './print.js';

interface TrainOptions {
  readonly test: boolean;
  readonly samples: number;
  readonly import: readonly string[];
}

/** Sections of a config file. Others are a script's own, unless they look like a misspelling of these. */
const SECTIONS = ['name', 'model', 'trainer', 'exp_manager'];
/** Keys that say which files the weights start from. */
const START = ['init_from_nemo_model', 'init_from_ptl_ckpt'];
/** What some part of this command reads. */
const READ = [...SECTIONS, ...START, 'init_from_pretrained_model'];

export function register(program: Command): void {
  program
    .command('train')
    .description(
      'Train the model of a config. Ctrl-C saves and stops; run again with resume_if_exists to go on.',
    )
    .argument('<config>', 'a YAML file')
    .argument('[overrides...]', 'key=value, +key=value, ++key=value or ~key')
    .option('--no-test', 'leave out the test at the end, which happens where model.test_ds names data')
    .option('--samples <n>', 'aligned reference/hypothesis pairs to print', wholeNumber(0), 3)
    .addOption(importOption())
    .action(train);
}

async function train(file: string, overrides: string[], options: TrainOptions): Promise<void> {
  const { adaptedModel, createFromConfig, isAdaptation } = await import('../asr/index.js');
  const { formatWarnings, loadConfig } = await import('../config/index.js');
  const { outliveReaders } = await import('../errors/index.js');
  // Hours of training are worth more than the lines about them: training goes on when nobody reads its output.
  outliveReaders();
  const { exitCodeOf, expManager, resolveCheckpoint, Trainer } = await import('../training/index.js');
  const container = await containerWith(options.import);
  const { SPECIAL_TOKENS, withSpecialTokens } = await import('./special-tokens.js');
  const writtenConfig = loadConfig(file, overrides);
  const problem = await sectionProblem(writtenConfig, file);
  if (problem) throw problem;
  const config = withSpecialTokens(writtenConfig);
  const usedKeys = config === writtenConfig ? [] : [SPECIAL_TOKENS];
  const warnings: ConfigWarning[] = await sectionWarnings(config, usedKeys);
  const { CONFIG_WARNINGS } = await import('../container/index.js');
  // All of them make one list, below.
  container.registerValue(CONFIG_WARNINGS, (newWarnings) => void warnings.push(...newWarnings));
  const trainer = new Trainer(config['trainer'] ?? {}, { container });
  const section = config['model'] as ConfigNode;
  let testData: readonly BatchSource[] = [];
  try {
    const folder = await expManager(trainer, config['exp_manager']);
    const adaptation = isAdaptation(section) ? await adaptedModel(section, trainer) : undefined;
    const model = adaptation?.model ?? (await createFromConfig(config, trainer));
    if (warnings.length > 0) trainer.say(formatWarnings(warnings));
    // The test set is opened before the first step: what is wrong with it should not show after hours of training.
    if (options.test && (await hasTestData(config))) testData = await model.testSources();
    const { outcome } = await trainer.fit(model);
    if (adaptation && outcome.kind !== 'interrupted') await saveAdapters(adaptation, folder, trainer);
    if (outcome.kind === 'interrupted') {
      process.exitCode = exitCodeOf(outcome.reason);
    } else if (testData.length > 0) {
      const { describeEvaluation } = await import('./evaluation-report.js');
      const best = folder === undefined ? undefined : await resolveCheckpoint(folder).catch(() => undefined);
      if (best) trainer.say(`testing ${printable(best.path)}`);
      const findings = await trainer.test(model, { checkpoint: best?.path, data: testData });
      show(await describeEvaluation(findings, options.samples));
    }
    if (folder !== undefined) show(await describeFolder(folder));
  } finally {
    for (const source of testData) await source.close();
    await trainer.dispose();
  }
}

async function sectionProblem(config: Config, file: string): Promise<Error | undefined> {
  const { isMapping, positionOf } = await import('../config/index.js');
  const { AnemoneError, didYouMean } = await import('../errors/index.js');
  for (const key of Object.keys(config)) {
    const hint = SECTIONS.includes(key) ? undefined : didYouMean(key, SECTIONS);
    if (hint)
      return new AnemoneError({ code: 'config.unknown-key', path: key, message: 'unknown section', hint });
  }
  for (const key of SECTIONS.slice(1)) {
    if (config[key] == null || isMapping(config[key])) continue;
    return new AnemoneError({
      code: 'config.not-a-mapping',
      path: key,
      position: positionOf(config, key),
      message: `expected a mapping of keys to values, got ${JSON.stringify(config[key])}`,
    });
  }
  if (isMapping(config['model'])) return undefined;
  return new AnemoneError({
    code: 'config.missing',
    message: 'there is no model section',
    position: { file },
    hint: 'anemone config print shows what the file means',
  });
}

/**
 * Sections of NeMo's scripts that this command does nothing with. Single values are there to be referred to, unless
 * they look like a misspelling of what is read.
 */
async function sectionWarnings(config: Config, usedKeys: readonly string[]): Promise<ConfigWarning[]> {
  const { isMapping, positionOf } = await import('../config/index.js');
  const warnings: ConfigWarning[] = [];
  for (const path of Object.keys(config)) {
    if ([...READ, ...usedKeys].includes(path)) continue;
    const startHint = await startMeantBy(path);
    if (startHint === undefined && !isMapping(config[path])) continue;
    const message = `"${path}" has no effect: ${startHint ?? `training reads ${SECTIONS.slice(1).join(', ')}`}`;
    warnings.push({ path, position: positionOf(config, path), message });
  }
  return warnings;
}

/** A key that looks as if the weights were to start from a file, and what is read for that. */
async function startMeantBy(key: string): Promise<string | undefined> {
  const { didYouMean } = await import('../errors/index.js');
  const nearKey = didYouMean(key, START);
  if (nearKey) return nearKey;
  return key.startsWith('init_from')
    ? `weights start from ${START.join(' or ')}, of any kind of file`
    : undefined;
}

/** Beside the checkpoints, where NeMo puts them. */
async function saveAdapters(
  { model, fileName }: Adaptation,
  folder: string | undefined,
  trainer: { say(text: string): void },
): Promise<void> {
  if (fileName === undefined) return;
  const { existsSync } = await import('node:fs');
  const { join } = await import('node:path');
  const checkpoints = join(folder ?? '.', 'checkpoints');
  const path = join(existsSync(checkpoints) ? checkpoints : (folder ?? '.'), fileName);
  await model.saveAdapters(path);
  trainer.say(`adapters: ${printable(path)}`);
}

async function hasTestData(config: Config): Promise<boolean> {
  const { selectValue } = await import('../config/index.js');
  return Boolean(selectValue(config, 'model.test_ds.manifest_filepath'));
}

/** The lines that say where a run's files were left. */
async function describeFolder(folder: string): Promise<string> {
  const { existsSync, readdirSync } = await import('node:fs');
  const { join } = await import('node:path');
  const lines: string[] = [];
  if (existsSync(join(folder, 'checkpoints'))) {
    const { resolveCheckpoint } = await import('../training/index.js');
    const best = await resolveCheckpoint(folder).catch(() => undefined);
    if (best) lines.push(`checkpoint:  ${printable(best.path)}`);
  }
  if (readdirSync(folder).some((name) => name.startsWith('events.out')))
    lines.push(`TensorBoard: ${printable(folder)}`);
  if (existsSync(join(folder, 'report.html')))
    lines.push(`report:      ${printable(join(folder, 'report.html'))}`);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
