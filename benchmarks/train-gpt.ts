// One training step (forward, loss, backward, clipping, AdamW) of GPT-2, ours against PyTorch's, in turn.
//   npx tsx benchmarks/train-gpt.ts [--threads 2] [--rounds 4] [--layers 12] [--d 512] [--heads 8] [--vocabulary 32768]
//     [--length 512] [--batch 4] [--steps 1] [--only ours,checkpointed,pytorch,avx512,pytorch-checkpointed,bf16,autocast]
//   npx tsx benchmarks/train-gpt.ts --preset nanogpt      the config for CPUs in nanoGPT's README: 4 × 128, 12 × 64 characters
//   npx tsx benchmarks/train-gpt.ts --preset gpt2         GPT-2 124M, 4 × 64 tokens, as llm.c trains it on CPUs
// `--steps` are made in a round, and timed together.
// `checkpointed` recomputes every layer for the gradient; `avx512` is PyTorch whose MKL takes the path of Intel CPUs, where a C
// compiler is there to tell it; `bf16` is ours in bf16-mixed, `autocast` PyTorch with torch.autocast. The peer is set up by
// benchmarks/peers/setup.sh; without it only ours are timed.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Contestant, machine, peerPython, peerScript, ratio, summarize, table } from './lib/contestant.js';
import type { GptSizes } from './lib/gpt.js';
import { mklAsOnIntel } from './lib/mkl.js';

const WARM_UP = 1;
const PRESETS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  medium: { layers: '12', d: '512', heads: '8', vocabulary: '32768', length: '512', batch: '4', steps: '1' },
  nanogpt: { layers: '4', d: '128', heads: '4', vocabulary: '65', length: '64', batch: '12', steps: '50' },
  gpt2: { layers: '12', d: '768', heads: '12', vocabulary: '50257', length: '64', batch: '4', steps: '1' },
};
const text = { type: 'string' } as const;
const { values: given } = parseArgs({
  options: {
    preset: { type: 'string', default: 'medium' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '4' },
    layers: text,
    d: text,
    heads: text,
    vocabulary: text,
    length: text,
    batch: text,
    steps: text,
    only: { type: 'string', default: 'ours,checkpointed,pytorch,avx512,pytorch-checkpointed' },
  },
});
const preset = PRESETS[given.preset];
if (!preset) {
  console.error(`--preset is one of ${Object.keys(PRESETS).join(', ')}`);
  process.exit(2);
}
const flags = { ...preset, ...given } as Readonly<Record<string, string>>;
const sizes: GptSizes = {
  threads: Number(flags.threads),
  layers: Number(flags.layers),
  d: Number(flags.d),
  heads: Number(flags.heads),
  vocabulary: Number(flags.vocabulary),
  length: Number(flags.length),
  batch: Number(flags.batch),
  steps: Number(flags.steps),
};
const chosen = flags.only.split(',');
const child = fileURLToPath(new URL('lib/train-gpt-child.ts', import.meta.url));
const python = peerPython();
const intel = chosen.includes('avx512') ? mklAsOnIntel() : undefined;
const polite = { OMP_WAIT_POLICY: 'passive', OMP_NUM_THREADS: flags.threads };

type Start = () => ReturnType<typeof Contestant.start>;
const ours = (name: string, more: object): Start => {
  const argument = JSON.stringify({ ...sizes, ...more });
  return () => Contestant.start(name, process.execPath, ['--import', 'tsx', child, argument]);
};
const theirs = (name: string, more: object, env: NodeJS.ProcessEnv = {}): Start | undefined => {
  if (!python) return undefined;
  const args = [peerScript('train_gpt.py'), JSON.stringify({ ...sizes, ...more })];
  return () => Contestant.start(name, python, args, { ...polite, ...env });
};
const starts: Readonly<Record<string, Start | undefined>> = {
  ours: ours('anemone', {}),
  checkpointed: ours('checkpointed', { checkpoint: 'full' }),
  bf16: ours('anemone bf16', { precision: 'bf16-mixed' }),
  pytorch: theirs('pytorch', {}),
  avx512: intel && theirs('pytorch 512', {}, intel.env),
  'pytorch-checkpointed': theirs('pytorch ckpt', { checkpoint: true }),
  autocast: theirs('pytorch bf16', { autocast: true }),
};

const started: Awaited<ReturnType<Start>>[] = [];
for (const name of chosen) {
  const start = starts[name];
  if (start) started.push(await start());
}
const contestants = started.map(({ contestant }) => contestant);
for (let round = 0; round < WARM_UP + Number(flags.rounds); round++) {
  for (const contestant of contestants) await contestant.run(round >= WARM_UP);
}
for (const contestant of contestants) contestant.end();
intel?.remove();

const rows = contestants.map(summarize);
const isOurs = (name: string): boolean => ['anemone', 'anemone bf16', 'checkpointed'].includes(name);
const ratios = contestants.flatMap((own, i) =>
  contestants.flatMap((other, j) => {
    const isSelf = own.name !== 'anemone' && other.name === 'anemone';
    if (!isOurs(own.name) || (isOurs(other.name) && !isSelf)) return [];
    const peakRss = rows[i].peakRssMb / rows[j].peakRssMb;
    return [{ ours: own.name, theirs: other.name, cpu: ratio(own, other, 'cpu'), wall: ratio(own, other), peakRss }]; // biome-ignore format: one line
  }),
);
const tokens = sizes.batch * sizes.length * (sizes.steps ?? 1);
const versions = started.map(({ contestant, ready }) => ({ name: contestant.name, ...ready }));
console.log(
  JSON.stringify({ benchmark: 'train-gpt', machine, sizes, versions, results: rows, ratios }, null, 1),
);
console.log(`\n${machine}, ${sizes.threads} threads\n${table(rows)}`);
for (const { name, seconds } of rows) console.log(`${name}: ${Math.round(tokens / seconds.median)} tokens/s`);
const shown = ({ median, min, max }: { median: number; min: number; max: number }): string =>
  `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
for (const { ours, theirs, cpu, wall, peakRss } of ratios) {
  console.log(
    `${ours} / ${theirs}: CPU ${shown(cpu)}, wall ${shown(wall)}, peak memory ${peakRss.toFixed(2)}`,
  );
}
