// The table of a comparison, from what its steps left in DIR: each quantity, its aim, the worst of all cases. Ends with
// code 1 when an aim is missed, after naming each case that missed it.
//
//     npx tsx benchmarks/parity/table.ts DIR
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from './measure.js';

/** Lines of the table in order: a pattern over quantities, what the line says, and the aim; 0 means equal. */
const LINES: readonly (readonly [RegExp, string, number | undefined])[] = [
  [/^tokens of texts$/, 'tokens of texts', 0],
  [/^log-mel$/, 'log-mel, absolute', 1e-3],
  [/^normalised features$/, 'normalised features, absolute', 1e-4],
  [/^lengths$/, 'lengths', 0],
  [/^layers of the encoder$/, 'subsampling and each layer, absolute', 1e-4],
  [/^encoder output$/, 'encoder output, absolute', 1e-4],
  [/^prediction network$/, 'prediction network, absolute', 1e-4],
  [/^logits of joints$/, 'log-probabilities of joints, absolute', 1e-4],
  [/^logits of CTC$/, 'log-probabilities of CTC, absolute', 1e-4],
  [/^losses$/, 'losses in evaluation, relative', 1e-5],
  [/^training loss$/, 'losses in training, relative', 1e-5],
  [/^gradient$/, 'gradient of each parameter, relative', 1e-4],
  [/^gradient that is 0$/, 'gradients that are 0 but for rounding, share of the whole', 1e-5],
  [/^gradient here, from double/, '— ours from double precision', undefined],
  [/^gradient of NeMo, from double/, '— NeMo’s from double precision', undefined],
  [/^statistics/, 'statistics of batch norms after a step, relative', 1e-5],
  [/^hypotheses of CTC greedy$/, 'CTC greedy', 0],
  [/^hypotheses of rnnt (greedy_batch)$/, 'RNN-T greedy_batch', 0],
  [/^hypotheses of rnnt (beam)$/, 'RNN-T beam', 0],
  [/^hypotheses of rnnt (tsd)$/, 'RNN-T tsd', 0],
  [/^hypotheses of rnnt (alsd)$/, 'RNN-T alsd', 0],
  [/^hypotheses of rnnt (maes)$/, 'RNN-T maes', 0],
  [/^hypotheses of rnnt (malsd_batch)$/, 'RNN-T malsd_batch', 0],
  [/^hypotheses of tdt (greedy_batch)$/, 'TDT greedy_batch', 0],
  [/^hypotheses of tdt (beam)$/, 'TDT beam', 0],
  [/^hypotheses of tdt (maes)$/, 'TDT maes', 0],
  [/^hypotheses of tdt (malsd_batch)$/, 'TDT malsd_batch', 0],
  [/^hypotheses of multiblank/, 'multi-blank greedy_batch', 0],
  [
    /^loss curve of ctc(, padded to 4 s)?$/,
    'losses of 100 steps through the data loaders, CTC, relative',
    1e-3,
  ],
  [
    /^loss curve of rnnt(, padded to 4 s)?$/,
    'losses of 100 steps through the data loaders, RNN-T, relative',
    1e-3,
  ],
  [
    /^loss curve of hybrid(, padded to 4 s)?$/,
    'losses of 100 steps through the data loaders, hybrid, relative',
    1e-3,
  ],
  [
    /^loss curve of tdt(, padded to 4 s)?$/,
    'losses of 100 steps through the data loaders, TDT, relative',
    1e-3,
  ],
  [/^loss curve of .*, from double$/, '— those of ours or NeMo from double precision', undefined],
  [/^saved: tokens/, 'saved here, restored by NeMo: tokens', 0],
  [/^saved: stages/, 'saved here, restored by NeMo: stages, absolute', 1e-4],
  [/^saved: features/, 'saved here, restored by NeMo: features, absolute', 1e-3],
  [/^saved: losses/, 'saved here, restored by NeMo: losses, relative', 1e-5],
];

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('say where the comparison put its files');
const read = <T>(name: string, fallback: T): T =>
  existsSync(join(folder, name)) ? (JSON.parse(readFileSync(join(folder, name), 'utf8')) as T) : fallback;
const facts = read<Record<string, string | number>>('facts.json', {});
const results = [...read<Result[]>('ours.json', []), ...read<Result[]>('curves.json', []), ...saved()];
const missed: Result[] = [];

console.log(`NeMo ${facts['nemo']} (torch ${facts['torch']}), seed ${facts['seed']}\n`);
console.log('| what | aim | compared | worst | where |\n|---|---|---|---|---|');
for (const [pattern, label, aim] of LINES) {
  const rows = results.filter(({ quantity }) => pattern.test(quantity));
  if (rows.length === 0) continue;
  // What is not finite became null on the way.
  const valued = rows.map((row) => ({ ...row, value: row.value ?? Number.POSITIVE_INFINITY }));
  const worst = valued.reduce((most, row) => (row.value > most.value ? row : most));
  const bad = aim === undefined ? [] : valued.filter(({ value }) => value > aim);
  missed.push(...bad);
  const [said, found] =
    aim === 0
      ? ['equal', bad.length === 0 ? 'all equal' : `${rows.length - bad.length} of ${rows.length} equal`]
      : [aim?.toExponential(0) ?? '', worst.value.toExponential(1)];
  const where = aim === 0 && bad.length === 0 ? '' : [worst.case, aim === 0 ? undefined : worst.detail].filter(Boolean).join(', '); // biome-ignore format: one line reads better
  console.log(`| ${label} | ${said} | ${rows.length} | ${found} | ${where} |`);
}
for (const { case: name, quantity, value, detail } of missed)
  console.log(`\nmissed: ${name}: ${quantity} ${value.toExponential(1)} ${detail ?? ''}`);
process.exitCode = missed.length > 0 || results.length === 0 ? 1 : 0;

/** What NeMo found in archives saved here. */
function saved(): Result[] {
  interface Row {
    readonly case: string;
    readonly other_tokens: number;
    readonly stages: Readonly<Record<string, number>>;
  }
  return read<Row[]>('check.json', []).flatMap(({ case: name, other_tokens, stages }) => [
    { case: name, quantity: 'saved: tokens', value: other_tokens },
    ...Object.entries(stages).map(([stage, value]) => {
      const kind = /^loss/.test(stage) ? 'losses' : /signal/.test(stage) ? 'features' : 'stages';
      return { case: name, quantity: `saved: ${kind}`, value, detail: stage };
    }),
  ]);
}
