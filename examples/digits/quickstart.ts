// Command: the quickstart. Makes the data, trains a tokenizer and a small Conformer transducer, tests it on human
// voices, transcribes a recording.
//   npx tsx examples/digits/quickstart.ts [overrides of conf/quickstart.yaml...]
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/cli/main.js';
import { checkOverrides, runScript, step } from '../lib/quickstart.js';

const CONFIG = 'conf/quickstart.yaml';
const DATA = 'quickstart-data';
const RUNS = 'quickstart-runs/quickstart-digits';
/** Ten words allow no larger vocabulary; with it every digit is one token. */
const VOCABULARY = '52';
const RECORDING = join(DATA, 'audio/test/allison-000.wav');

const words = process.argv.slice(2);
if (words.includes('--help')) process.exit(await run(['train', '--help']));
checkOverrides(CONFIG, words);
const started = performance.now();
const version = new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-');

await step('data: digits spoken by synthetic voices to train on, by people to test on', () =>
  runScript(new URL('prepare.ts', import.meta.url)),
);
if (!existsSync(join(DATA, `tokenizer_spe_bpe_v${VOCABULARY}`))) {
  const manifest = join(DATA, 'train.json');
  await step('tokenizer', () =>
    run(['tokenizer', 'train', '--manifest', manifest, '--vocab-size', VOCABULARY, '--out', DATA]),
  );
}
await step('training, with validation on unheard synthetic voices; then the test on people', () =>
  run(['train', CONFIG, `++exp_manager.version=${version}`, ...words]),
);
await step(`transcribing ${RECORDING}`, () => run(['transcribe', join(RUNS, version), RECORDING]));
process.stdout.write(`\ndone in ${((performance.now() - started) / 60000).toFixed(1)} minutes\n`);
