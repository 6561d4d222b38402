// Command: the quickstart for language models. Makes the data and a tokenizer, trains a small GPT, measures it on presidents whom it
// has never read, beside compressors and n-grams, and lets it speak.
//   npx tsx examples/sotu/quickstart.ts [overrides of conf/quickstart-lm.yaml...]
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/cli/main.js';
import { checkOverrides, runScript, step } from '../lib/quickstart.js';
import { baselines } from './baselines.js';
import { ONCE, stepsOfThisMachine } from './steps.js';

const CONFIG = 'conf/quickstart-lm.yaml';
const DATA = 'quickstart-lm-data';
const RUNS = 'quickstart-runs/quickstart-lm';
const VOCABULARY = '2048';
const TOKENIZER = join(DATA, `tokenizer_byte_bpe_v${VOCABULARY}`);
const PROMPT = 'My fellow Americans,';

const words = process.argv.slice(2);
if (words.includes('--help')) process.exit(await run(['train', '--help']));
checkOverrides(CONFIG, words);
const started = performance.now();
const version = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-');

await step('data: State of the Union addresses; those after 2000 choose, those after 2008 test', () =>
  runScript(new URL('prepare.ts', import.meta.url)),
);
if (!existsSync(TOKENIZER)) {
  const text = join(DATA, 'train.jsonl');
  await step('tokenizer: byte-level BPE', () =>
    run(['tokenizer', 'train', '--type', 'byte-bpe', '--text', text, '--vocab-size', VOCABULARY, '--out', DATA]),
  ); // biome-ignore format: one command
}
await step('bits a byte of the test by other means', async () => {
  for (const { name, bitsPerByte } of await baselines(DATA, TOKENIZER)) {
    process.stdout.write(`${name.padEnd(30)} ${bitsPerByte?.toFixed(3) ?? 'not installed'}\n`);
  }
  return 0;
});
const length = await trainingLength();
await step('training, then the test (test/bits_per_byte)', () =>
  run(['train', CONFIG, `++exp_manager.version=${version}`, ...length, ...words]),
);
await step('what it writes', () =>
  run(['generate', join(RUNS, version), '--prompt', PROMPT, '--tokens', '120', '--temperature', '0.8', '--top-k', '40']),
); // biome-ignore format: one command
process.stdout.write(`\ndone in ${((performance.now() - started) / 60000).toFixed(1)} minutes\n`);

/** Overrides for as many steps as this machine has time for, unless the words say how many. */
async function trainingLength(): Promise<readonly string[]> {
  if (words.some((word) => /trainer\.max_(steps|epochs|time|tokens|samples)=/.test(word))) return [];
  const { steps, rate } = await stepsOfThisMachine();
  const times = steps / ONCE;
  process.stdout.write(
    `\n${steps} steps, ${times === 1 ? 'once' : `${times} times`} through the text: products here make ${(rate / 1e9).toFixed(0)} GFLOP/s\n`,
  );
  return [`trainer.max_steps=${steps}`, `trainer.val_check_interval=${steps / 4}`];
}
