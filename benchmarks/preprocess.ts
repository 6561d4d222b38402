// Texts to Megatron's indexed sets: `anemone preprocess` against Megatron's own, in turn, with as many workers and one tokenizer.
//   npm run build && npx tsx benchmarks/preprocess.ts --input texts.jsonl --tokenizer FOLDER [--workers 2] [--rounds 3]
// FOLDER has a tokenizer.json. The peer is a Python (PEER_PYTHON) with megatron-core and transformers; without it only ours is timed.
// Times are those of whole commands, their start included. Ends with code 1 where the files are not the same.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, median, peerPython, peerScript } from './lib/contestant.js';

const { values: flags } = parseArgs({
  options: {
    input: { type: 'string' },
    tokenizer: { type: 'string' },
    workers: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
  },
});
const { input, tokenizer, workers } = flags;
const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
if (!input || !tokenizer || !existsSync(command)) {
  console.error('name --input and --tokenizer, and run npm run build before');
  process.exit(2);
}

interface Side {
  readonly name: string;
  readonly start: (prefix: string) => readonly string[];
  readonly seconds: number[];
  readonly cpu: number[];
}
const own = (prefix: string) => [process.execPath, command, 'preprocess', '--input', input, '--output-prefix', prefix, '--tokenizer', tokenizer, '--append-eod', '--workers', workers]; // biome-ignore format: one line
const python = peerPython();
const theirs = (prefix: string) => [python as string, peerScript('preprocess_megatron.py'), input, prefix, tokenizer, workers]; // biome-ignore format: one line
const side = (name: string, start: Side['start']): Side => ({ name, start, seconds: [], cpu: [] });
const sides = [side('anemone', own), ...(python ? [side('megatron', theirs)] : [])];

/** Seconds of user and system time of children that have ended, by the shell's `times`. */
function timed([file, ...args]: readonly string[]): { seconds: number; cpu: number } {
  const start = performance.now();
  const script = '"$@" >&2 || exit 1; times';
  // Tokenizers of Hugging Face would start threads of their own in each process.
  const env = { ...process.env, TOKENIZERS_PARALLELISM: 'false', OMP_NUM_THREADS: '1' };
  const { status, stdout } = spawnSync('bash', ['-c', script, 'bash', file, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] }); // biome-ignore format: one line
  if (status !== 0) throw new Error(`${file} ended with ${status}`);
  const children = stdout.toString().trim().split('\n')[1];
  const spent = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => 60 * Number(m) + Number(s));
  return { seconds: (performance.now() - start) / 1000, cpu: spent[0] + spent[1] };
}

const folder = mkdtempSync(join(tmpdir(), 'anemone-preprocess-'));
try {
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const { name, start, seconds, cpu } of sides) {
      const spent = timed(start(join(folder, name)));
      seconds.push(spent.seconds);
      cpu.push(spent.cpu);
    }
  }
  const megabytes = statSync(input).size / 1e6;
  console.log(`${machine}, ${workers} workers, ${megabytes.toFixed(1)} MB`);
  for (const { name, seconds, cpu } of sides)
    console.log(`${name.padEnd(10)} median ${median(seconds).toFixed(1)} s (${(megabytes / median(seconds)).toFixed(1)} MB/s), CPU ${median(cpu).toFixed(1)} s`); // biome-ignore format: one line
  if (sides.length === 2) {
    const [ours, peer] = sides;
    const of = (key: 'seconds' | 'cpu') => median(peer[key].map((value, i) => value / ours[key][i]));
    console.log(`speed, ours / theirs: wall ${of('seconds').toFixed(2)}, CPU time ${of('cpu').toFixed(2)}`);
    for (const end of ['bin', 'idx']) {
      const [a, b] = sides.map(({ name }) => readFileSync(join(folder, `${name}_text_document.${end}`)));
      const same = a.equals(b);
      console.log(`.${end}: ${same ? 'the same bytes' : 'OTHER BYTES'} (${a.length} and ${b.length})`);
      if (!same) process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
