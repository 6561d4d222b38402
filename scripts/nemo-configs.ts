// Runs NeMo's own example configs, unchanged but for the values they ask for (???), and says how each one ends:
// built at full size (shapes only), then trained for two steps with its sizes shrunk by overrides.
// Run: npx tsx scripts/nemo-configs.ts FOLDER [--only TEXT] [--json FILE], FOLDER being a checkout's examples/asr.
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createModel } from '../src/asr/index.js';
import { run } from '../src/cli/main.js';
import { withSpecialTokens } from '../src/cli/special-tokens.js';
import { createDefaultContainer } from '../src/composition.js';
import { type Config, isMapping, loadConfig } from '../src/config/index.js';
import { reportOf } from '../src/errors/index.js';
import { makeCorpus } from './nemo-configs/corpus.js';
import { fillIn, shrink } from './nemo-configs/overrides.js';

interface Outcome {
  readonly file: string;
  /** Where it stopped; `trained` is the end. */
  readonly stage: 'config' | 'build' | 'train' | 'trained';
  readonly code: number;
  /** What was said: the error, or the warning. */
  readonly text: string;
  readonly parameters?: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, json: { type: 'string' } },
});
const root = resolve(positionals[0] ?? '.');
const work = mkdtempSync(join(tmpdir(), 'nemo-configs-'));
process.chdir(work);
const corpus = makeCorpus(work);
const outcomes: Outcome[] = [];
for (const file of configFiles(root)) {
  const outcome = await tryConfig(file);
  outcomes.push(outcome);
  console.log(
    `${outcome.stage === 'trained' ? 'ok  ' : 'no  '} ${outcome.stage.padEnd(7)} exit ${outcome.code}  ${outcome.file}`,
  );
  console.log(outcome.text.trim().replace(/^/gm, '       '));
}
const trained = outcomes.filter(({ stage }) => stage === 'trained').length;
console.log(`${trained} of ${outcomes.length} trained`);
if (values.json) writeFileSync(values.json, JSON.stringify(outcomes, null, 1));
rmSync(work, { recursive: true, force: true });
process.exit();

function configFiles(folder: string): string[] {
  if (statSync(folder).isFile()) return [folder];
  const entries = readdirSync(folder, { recursive: true }) as string[];
  return entries
    .filter((name) => name.endsWith('.yaml') && name.includes(values.only))
    .sort()
    .map((name) => join(folder, name));
}

async function tryConfig(path: string): Promise<Outcome> {
  const file = relative(root, path);
  let config: Config;
  let asked: string[];
  try {
    asked = fillIn(loadConfig(path), corpus);
    config = withSpecialTokens(loadConfig(path, asked));
  } catch (error) {
    const { text, exitCode } = reportOf(error);
    return { file, stage: 'config', code: exitCode, text };
  }
  let parameters: number | undefined;
  if (isMapping(config['model']) && 'encoder' in config['model']) {
    try {
      const model = createModel(config['model'], { container: createDefaultContainer() });
      parameters = model.module.parameterCount();
    } catch (error) {
      const { text, exitCode } = reportOf(error);
      return { file, stage: 'build', code: exitCode, text };
    }
  }
  const { code, said } = await train(path, [...asked, ...shrink(config, corpus)]);
  return { file, stage: code === 0 ? 'trained' : 'train', code, text: said, parameters };
}

/** `anemone train`, and what it said apart from progress. */
async function train(path: string, overrides: readonly string[]): Promise<{ code: number; said: string }> {
  const write = process.stderr.write.bind(process.stderr);
  const output = process.stdout.write.bind(process.stdout);
  let said = '';
  process.stderr.write = (chunk: unknown) => {
    said += String(chunk);
    return true;
  };
  process.stdout.write = () => true;
  process.exitCode = undefined;
  const code = await run(['train', path, ...overrides, '--no-test']);
  process.stderr.write = write;
  process.stdout.write = output;
  process.exitCode = undefined;
  const kept =
    code === 0 ? said.match(/^.*has no effect.*$/gm)?.join('\n') : said.split('\n').slice(-12).join('\n');
  return { code, said: kept ?? '' };
}
