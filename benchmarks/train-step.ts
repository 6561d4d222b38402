// One training step (forward, loss, backward, AdamW) of a Conformer-transducer, ours against PyTorch's, in turn.
//   npx tsx benchmarks/train-step.ts [--threads 2] [--rounds 8] [--layers 8] [--d 256] [--heads 4] [--vocabulary 256] [--batch 8]
//     [--seconds 8] [--fast] [--checkpoint full [--parts 4]] [--precision bf16-mixed] [--avx512]
// --fast is FastConformer's subsampling, by 8 with depthwise convolutions, and its kernels of 9.
// With --checkpoint (full or selective) a third contestant is ours with gradient checkpointing; --parts cuts its batch for the
// convolutions of the subsampling. --avx512 adds PyTorch whose MKL takes the path of Intel CPUs, where a C compiler is there.
// With --precision (16-mixed, bf16-mixed) the contestants are ours in that and in 32, and PyTorch's with torch.autocast.
// The peer is set up by benchmarks/peers/setup.sh; without it only ours is timed.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Precision } from '../src/training/precision.js';
import { Contestant, machine, peerPython, peerScript, ratio, summarize, table } from './lib/contestant.js';
import { mklAsOnIntel } from './lib/mkl.js';
import type { Sizes } from './lib/model.js';

const WARM_UP = 2;
const { values: flags } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '8' },
    layers: { type: 'string', default: '8' },
    d: { type: 'string', default: '256' },
    heads: { type: 'string', default: '4' },
    vocabulary: { type: 'string', default: '256' },
    batch: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '8' },
    checkpoint: { type: 'string' },
    parts: { type: 'string', default: '1' },
    fast: { type: 'boolean', default: false },
    avx512: { type: 'boolean', default: false },
    precision: { type: 'string' },
  },
});
const sizes: Sizes = {
  threads: Number(flags.threads),
  d: Number(flags.d),
  layers: Number(flags.layers),
  heads: Number(flags.heads),
  vocabulary: Number(flags.vocabulary),
  hidden: 640,
  batch: Number(flags.batch),
  frames: Number(flags.seconds) * 100,
  tokens: Number(flags.seconds) * 6,
  fast: flags.fast,
  ...(flags.precision ? { precision: flags.precision as Precision } : {}),
};
const argument = JSON.stringify(sizes);
const child = fileURLToPath(new URL('lib/train-step-child.ts', import.meta.url));
const ours = await Contestant.start('anemone', process.execPath, ['--import', 'tsx', child, argument]);
const checkpointed = flags.checkpoint
  ? await Contestant.start('checkpointed', process.execPath, [
      '--import',
      'tsx',
      child,
      JSON.stringify({ ...sizes, checkpoint: flags.checkpoint, parts: Number(flags.parts) }),
    ])
  : undefined;
const { precision: _, ...in32 } = sizes;
const plain = flags.precision
  ? await Contestant.start('in 32 bits', process.execPath, ['--import', 'tsx', child, JSON.stringify(in32)])
  : undefined;
const python = peerPython();
const peer = python
  ? await Contestant.start('pytorch', python, [peerScript('train_step.py'), argument], {
      OMP_NUM_THREADS: flags.threads,
    })
  : undefined;
const intel = python && flags.avx512 ? mklAsOnIntel() : undefined;
const avx512 =
  python && intel
    ? await Contestant.start('pytorch 512', python, [peerScript('train_step.py'), argument], {
        OMP_NUM_THREADS: flags.threads,
        ...intel.env,
      })
    : undefined;
const contestants = [ours, plain, checkpointed, avx512, peer].flatMap((started) =>
  started ? [started.contestant] : [],
);
for (let round = 0; round < WARM_UP + Number(flags.rounds); round++) {
  for (const contestant of contestants) await contestant.run(round >= WARM_UP);
}
for (const contestant of contestants) contestant.end();
intel?.remove();

const rows = contestants.map(summarize);
const ratios = peer
  ? {
      time: ratio(ours.contestant, peer.contestant),
      peakRss: rows[0].peakRssMb / rows[contestants.length - 1].peakRssMb,
    }
  : undefined;
const versions = { anemone: ours.ready, pytorch: peer?.ready };
console.log(
  JSON.stringify({ benchmark: 'train-step', machine, sizes, versions, results: rows, ratios }, null, 1),
);
console.log(`\n${machine}, ${sizes.threads} threads\n${table(rows)}`);
if (ratios) {
  const { median, min, max } = ratios.time;
  console.log(
    `time ours/PyTorch: ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}), peak memory ${ratios.peakRss.toFixed(2)}`,
  );
}
if (avx512) {
  const { median, min, max } = ratio(ours.contestant, avx512.contestant);
  console.log(
    `time ours/PyTorch with AVX-512 in MKL: ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`,
  );
}
if (checkpointed) {
  const { median, min, max } = ratio(checkpointed.contestant, ours.contestant, 'cpu');
  console.log(`CPU time checkpointed/plain: ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`);
}
if (plain) {
  const { median, min, max } = ratio(ours.contestant, plain.contestant);
  console.log(`time ${flags.precision}/32: ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`);
}
