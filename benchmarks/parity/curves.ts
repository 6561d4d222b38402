// Training from equal weights over the same recordings, by the Trainer and through the data loader, from the YAML that
// NeMo's side was made from: the losses of every step beside NeMo's. Once more in buckets of which each is longer than any
// recording, for what a compiled shape adds must not be seen.
//
//     npx tsx benchmarks/parity/curves.ts DIR
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Callback,
  createEngine,
  createFromConfig,
  type Engine,
  loadConfig,
  type SpeechModel,
  Trainer,
} from '../../src/index.js';
import { QuietView, type StepReport, type TrainingRun } from '../../src/training/index.js';
import { tensorsOf } from './cases.js';
import { distance, norm, type Result, relative } from './measure.js';

class Losses extends Callback {
  readonly name = 'losses';
  readonly values: number[] = [];
  override async onStep(_run: TrainingRun, { loss }: StepReport): Promise<void> {
    this.values.push(loss);
  }
}

interface Curve {
  readonly losses: readonly number[];
  readonly exact: readonly number[] | null;
  readonly clip: number;
}

/** As the YAML says; and padded on. */
const PADDINGS = {
  '': [],
  ', padded to 4 s': ['+model.train_ds.num_buckets=1', '+model.train_ds.bucket_duration_bins=[4.0]'],
} as const;

const [folder, part = ''] = process.argv.slice(2);
if (!folder) throw new Error('say where nemo_side.py put its files');
const where = join(folder, 'curves');
const results: Result[] = [];
for (const file of (await readdir(where)).filter((name) => name.endsWith('.json')).sort()) {
  const name = file.slice(0, -'.json'.length);
  if (name.includes(part)) results.push(...(await compare(name)));
}
await writeFile(join(folder, 'curves.json'), JSON.stringify(results));

async function compare(name: string): Promise<Result[]> {
  const curve = JSON.parse(await readFile(join(where, `${name}.json`), 'utf8')) as Curve;
  const results: Result[] = [];
  for (const [suffix, overrides] of Object.entries(PADDINGS)) {
    const losses = await train(name, curve, overrides);
    const add = (quantity: string, values: readonly number[], others: readonly number[]) => {
      const steps = curve.losses.length;
      const off = values.map((value, i) => relative(value, others[i]));
      const value = Math.max(...off, values.length === steps ? 0 : Number.POSITIVE_INFINITY);
      const detail = `step ${off.indexOf(value) + 1} of ${steps}`;
      results.push({ case: name, quantity, value, detail });
      console.log(`  ${quantity}: ${value.toExponential(1)} (${detail})`);
    };
    add(`loss curve of ${name}${suffix}`, losses, curve.losses);
    if (!curve.exact) continue;
    add(`loss curve of ${name}${suffix}, from double`, losses, curve.exact);
    if (suffix === '') add(`loss curve of ${name} in NeMo, from double`, curve.losses, curve.exact);
  }
  return results;
}

/** Losses of the steps. */
async function train(name: string, { losses, clip }: Curve, overrides: readonly string[]): Promise<number[]> {
  const config = loadConfig(join(where, `${name}.yaml`), overrides);
  const engine = createEngine();
  const seen = new Losses();
  const options = {
    max_steps: losses.length,
    max_epochs: -1,
    gradient_clip_val: clip,
    handle_signals: false,
  };
  const trainer = new Trainer(options, { engine, callbacks: [seen], view: new QuietView(() => {}) });
  const model = (await createFromConfig(config, { engine }, console.log)) as SpeechModel;
  await trainer.fit(model);
  const shown = [0, 9, 24, 49, 74, 99].map(
    (i) => `${i + 1}: ${seen.values[i]?.toFixed(4)}/${losses[i]?.toFixed(4)}`,
  );
  const apart = await furthestVariance(name, model, engine);
  console.log(`${name}: ${shown.join(', ')}; running variances at the end differ by ${apart}`);
  await engine.dispose();
  return seen.values;
}

/** The variance that is furthest off; running statistics do not come into losses of training. */
async function furthestVariance(name: string, model: SpeechModel, engine: Engine): Promise<string> {
  const end = await tensorsOf(join(where, `${name}.end.safetensors`));
  let worst = { name: '', off: 0 };
  for (const [name, state] of model.stateDict()) {
    const theirs = end.get(name)?.data;
    if (!theirs || !name.endsWith('running_var')) continue;
    const off = distance(await engine.read(state), theirs) / norm(theirs);
    if (off > worst.off) worst = { name, off };
  }
  return `${worst.off.toExponential(1)} (${worst.name})`;
}
