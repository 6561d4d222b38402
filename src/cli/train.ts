// `anemone train`: a config to a trained model, validated on the way and tested at the end.
import type { Command } from 'commander';
import type { Adaptation } from '../asr/index.js';
import type { ConfigNode, ConfigWarning } from '../config/index.js';
import { printable } from '../errors/index.js';
import type { Trainer } from '../training/index.js';
import { wholeNumber } from './option-number.js';
import { containerWith, importOption } from './own-components.js';
import { show } from './print.js';

interface TrainOptions {
  readonly test: boolean;
  readonly samples: number;
  readonly import: readonly string[];
  readonly dryRun: boolean;
}

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
    .option(
      '--dry-run',
      'check config, data and memory, print what the run would take, and stop: 0 if it can run, 2 if not; writes nothing',
      false,
    )
    .addOption(importOption())
    .action(train);
}

async function train(file: string, overrides: string[], options: TrainOptions): Promise<void> {
  const { adaptedModel, checkConfig, createFromConfig, isAdaptation } = await import('../asr/index.js');
  const { formatWarnings, loadConfig } = await import('../config/index.js');
  const { outliveReaders } = await import('../errors/index.js');
  // Hours of training are worth more than the lines about them.
  outliveReaders();
  const { exitCodeOf, expManager, resolveCheckpoint, Trainer } = await import('../training/index.js');
  const container = await containerWith(options.import);
  const { specialTokens } = await import('./special-tokens.js');
  const { CONFIG_WARNINGS } = await import('../container/index.js');
  const tokens = specialTokens(loadConfig(file, overrides));
  const { config } = tokens;
  const warnings: ConfigWarning[] = [...checkConfig(config, { container, sections: tokens.sections })];
  tokens.train();
  // All of them make one list, below.
  container.registerValue(CONFIG_WARNINGS, (newWarnings) => void warnings.push(...newWarnings));
  const trainer = new Trainer(config['trainer'] ?? {}, { container });
  const section = config['model'] as ConfigNode;
  try {
    if (options.dryRun) {
      await dryRun(section, config, trainer, warnings, options);
      return;
    }
    // Where several ranks are to be started, what follows runs in each of them.
    const ranks = await trainer.ranks();
    const folder = await expManager(trainer, config['exp_manager']);
    const adaptation = isAdaptation(section) ? await adaptedModel(section, trainer) : undefined;
    const model = adaptation?.model ?? (await createFromConfig(config, trainer));
    if (warnings.length > 0) trainer.say(formatWarnings(warnings));
    const { outcome, testSets } = await trainer.fit(model, options.test ? {} : { test: [] });
    if (adaptation && outcome.kind !== 'interrupted' && ranks.isFirst)
      await saveAdapters(adaptation, folder, trainer);
    if (outcome.kind === 'interrupted') {
      process.exitCode = exitCodeOf(outcome.reason);
    } else if (testSets.length > 0) {
      const { describeEvaluation } = await import('./evaluation-report.js');
      const find = async () => {
        const best =
          folder === undefined ? undefined : await resolveCheckpoint(folder).catch(() => undefined);
        return best?.path;
      };
      const best = await ranks.ofFirst(find, 'best checkpoint');
      if (best) trainer.say(`testing ${printable(best)}`);
      const findings = await trainer.test(model, { checkpoint: best });
      if (ranks.isFirst) show(await describeEvaluation(findings, options.samples));
    }
    if (folder !== undefined && ranks.isFirst) show(await describeFolder(folder));
  } finally {
    await trainer.dispose();
  }
}

/** Makes the model and opens the data of a run, and says what it would take. @throws AnemoneError where it cannot be run */
async function dryRun(
  section: ConfigNode,
  config: ConfigNode,
  trainer: Trainer,
  warnings: readonly ConfigWarning[],
  options: TrainOptions,
): Promise<void> {
  const { adaptedModel, createFromConfig, isAdaptation } = await import('../asr/index.js');
  const { formatWarnings } = await import('../config/index.js');
  const { describePlan } = await import('./plan-text.js');
  const model = isAdaptation(section)
    ? (await adaptedModel(section, trainer)).model
    : await createFromConfig(config, trainer);
  const plan = await trainer.plan(model, options.test ? {} : { test: [] });
  if (warnings.length > 0) trainer.say(formatWarnings(warnings));
  show(describePlan(plan));
  if (!plan.fits) process.exitCode = 2;
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

/** Where things were left. */
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
