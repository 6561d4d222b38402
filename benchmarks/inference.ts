// Batch transcription with a Conformer-transducer (features, encoder, greedy decoding), ours against PyTorch's.
//   npx tsx benchmarks/inference.ts [--threads 2] [--rounds 8] [--layers 8] [--d 256] [--batch 8] [--utterances 32]
//     [--share 0.25]
// Both get the same generated waveforms of 2 to 12 seconds, decoded and in memory, and time the way from samples to
// tokens. The weights are untrained, so what comes out is noise and only its amount matters: each side emits at most
// one token a frame, by the same algorithm, and the bias of blank is set beforehand so that about one frame in four
// emits one. The counts reached are in `versions`; compare them before the times. The peer is set up by
// benchmarks/peers/setup.sh; without it only ours is timed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CounterRandom } from '../src/random/index.js';
import { Contestant, machine, peerPython, peerScript, ratio, summarize, table } from './lib/contestant.js';
import { RATE, utteranceLengths, waveform } from './lib/waveforms.js';

const WARM_UP = 2;
/** Seconds of an utterance. */
const LONGEST = 12;
const { values: flags } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '8' },
    layers: { type: 'string', default: '8' },
    d: { type: 'string', default: '256' },
    batch: { type: 'string', default: '8' },
    utterances: { type: 'string', default: '32' },
    share: { type: 'string', default: '0.25' },
  },
});

const random = new CounterRandom(5);
const lengths = utteranceLengths(Number(flags.utterances), LONGEST, random);
const audioSeconds = lengths.reduce((sum, length) => sum + length, 0) / RATE;
const folder = mkdtempSync(join(tmpdir(), 'anemone-inference-'));
const waveforms = join(folder, 'waveforms.f32');
writeFileSync(
  waveforms,
  Buffer.concat(lengths.map((n, i) => Buffer.from(waveform(n, random.derive(i)).buffer))),
);
const sizes = {
  threads: Number(flags.threads),
  d: Number(flags.d),
  layers: Number(flags.layers),
  heads: 4,
  vocabulary: 256,
  hidden: 640,
  batch: Number(flags.batch),
  share: Number(flags.share),
};
const argument = JSON.stringify({ ...sizes, frames: 0, tokens: 0, lengths, waveforms });
const child = fileURLToPath(new URL('lib/inference-child.ts', import.meta.url));
const ours = await Contestant.start('anemone', process.execPath, ['--import', 'tsx', child, argument]);
const python = peerPython();
const peer = python
  ? await Contestant.start('pytorch', python, [peerScript('inference.py'), argument], {
      OMP_NUM_THREADS: flags.threads,
    })
  : undefined;
const contestants = [ours.contestant, ...(peer ? [peer.contestant] : [])];
for (let round = 0; round < WARM_UP + Number(flags.rounds); round++) {
  for (const contestant of contestants) await contestant.run(round >= WARM_UP);
}
for (const contestant of contestants) contestant.end();
rmSync(folder, { recursive: true });

const rows = contestants.map(summarize);
const realTimeFactors = Object.fromEntries(
  rows.map(({ name, seconds }) => [name, seconds.median / audioSeconds]),
);
const ratios = peer
  ? { time: ratio(ours.contestant, peer.contestant), peakRss: rows[0].peakRssMb / rows[1].peakRssMb }
  : undefined;
const versions = { anemone: ours.ready, pytorch: peer?.ready };
console.log(
  JSON.stringify(
    {
      benchmark: 'inference',
      machine,
      sizes,
      audioSeconds,
      versions,
      results: rows,
      realTimeFactors,
      ratios,
    },
    null,
    1,
  ),
);
console.log(`\n${machine}, ${sizes.threads} threads, ${audioSeconds.toFixed(0)} s of audio\n${table(rows)}`);
for (const [name, factor] of Object.entries(realTimeFactors)) {
  console.log(`real-time factor of ${name}: ${factor.toFixed(4)}`);
}
if (ratios) {
  const { median, min, max } = ratios.time;
  console.log(
    `time ours/PyTorch: ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}), peak memory ${ratios.peakRss.toFixed(2)}`,
  );
}
