// Greedy generation, ours against transformers' with equal weights, in turn; dynamic and static cache.
//   npx tsx benchmarks/generate.ts [--model FOLDER] [--threads 2] [--rounds 3] [--batch 1] [--prompt 32] [--tokens 128]
//     [--bits 8] [--only ours,dynamic,static] [--layers 12] [--d 512] [--heads 8] [--vocabulary 32768]
// FOLDER is one of Hugging Face; without it, a GPT-2 of the sizes is made with random weights. The peer is set up by
// benchmarks/peers/setup.sh, and needs transformers; without it only ours is timed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { OnnxEngine } from '../src/engine/index.js';
import { writeHuggingFace } from '../src/lm/index.js';
import { Contestant, machine, peerPython, peerScript, ratio, summarize, table } from './lib/contestant.js';
import { gpt } from './lib/gpt.js';

const WARM_UP = 1;
const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '1' },
    prompt: { type: 'string', default: '32' },
    tokens: { type: 'string', default: '128' },
    bits: { type: 'string' },
    layers: { type: 'string', default: '12' },
    d: { type: 'string', default: '512' },
    heads: { type: 'string', default: '8' },
    vocabulary: { type: 'string', default: '32768' },
    only: { type: 'string', default: 'ours,dynamic,static' },
  },
});
const number = (key: 'threads' | 'rounds' | 'batch' | 'prompt' | 'tokens'): number => Number(flags[key]);
const temporary = mkdtempSync(join(tmpdir(), 'anemone-generate-'));

async function randomModel(): Promise<string> {
  const engine = new OnnxEngine({ threads: 1 });
  const sizes = { layers: Number(flags.layers), d: Number(flags.d), heads: Number(flags.heads), vocabulary: Number(flags.vocabulary) }; // biome-ignore format: one line
  const network = gpt({ ...sizes, threads: 1, length: 1024, batch: 1 });
  network.seed = 1;
  const folder = join(temporary, 'gpt2');
  await writeHuggingFace(folder, { network, tokenizer: { bosId: -1, eosId: -1, files: () => new Map() } }, engine); // biome-ignore format: one line
  await engine.dispose();
  return folder;
}

const folder = flags.model ?? (await randomModel());
const work = {
  folder,
  threads: number('threads'),
  batch: number('batch'),
  prompt: number('prompt'),
  tokens: number('tokens'),
};
const child = fileURLToPath(new URL('lib/generate-child.ts', import.meta.url));
const python = peerPython();
const polite = {
  OMP_WAIT_POLICY: 'passive',
  OMP_NUM_THREADS: flags.threads,
  TOKENIZERS_PARALLELISM: 'false',
};
const started: Awaited<ReturnType<typeof Contestant.start>>[] = [];
for (const name of flags.only.split(',')) {
  if (name === 'ours') {
    const argument = JSON.stringify({ ...work, ...(flags.bits && { bits: Number(flags.bits) }) });
    started.push(await Contestant.start('anemone', process.execPath, ['--import', 'tsx', child, argument]));
  } else if (python) {
    const argument = JSON.stringify({ ...work, cache: name });
    started.push(await Contestant.start(name, python, [peerScript('generate.py'), argument], polite));
  }
}
const contestants = started.map(({ contestant }) => contestant);
for (let round = 0; round < WARM_UP + number('rounds'); round++)
  for (const contestant of contestants) await contestant.run(round >= WARM_UP);
for (const contestant of contestants) contestant.end();
rmSync(temporary, { recursive: true, force: true });

const rows = contestants.map(summarize);
const [own, ...others] = contestants;
const texts = contestants.map(({ samples }) => samples[0].texts ?? []);
/** Tokens until the first that differs, of each text. */
const equal = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[] =>
  a.map((tokens, row) => {
    const at = tokens.findIndex((id, i) => id !== b[row][i]);
    return at < 0 ? tokens.length : at;
  });
const ratios = others.map((other, i) => ({
  theirs: other.name,
  cpu: ratio(own, other, 'cpu'),
  wall: ratio(own, other),
  peakRss: rows[0].peakRssMb / rows[i + 1].peakRssMb,
  equalTokens: equal(texts[0], texts[i + 1]),
}));
const versions = started.map(({ contestant, ready }) => ({ name: contestant.name, ...ready }));
const results = rows.map((row) => ({ ...row, cpuMsAToken: (1000 * row.cpu) / work.tokens }));
console.log(JSON.stringify({ benchmark: 'generate', machine, work, versions, results, ratios }, null, 1));
console.log(
  `\n${machine}, ${work.threads} threads, batch ${work.batch}, ${work.tokens} tokens\n${table(rows)}`,
);
const shown = ({ median, min, max }: { median: number; min: number; max: number }): string =>
  `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
for (const { theirs, cpu, wall, peakRss, equalTokens } of ratios) {
  const same = equalTokens.filter((count) => count === work.tokens).length;
  console.log(
    `anemone / ${theirs}: CPU ${shown(cpu)}, wall ${shown(wall)}, peak memory ${peakRss.toFixed(2)}, ` +
      `${same} of ${equalTokens.length} texts equal (tokens equal: ${equalTokens.join(', ')})`,
  );
}
