// Training from equal weights over equal batches, by the Trainer: the losses of every step beside NeMo's.
//
//     npx tsx benchmarks/parity/curves.ts DIR
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { int32 } from '../../src/engine/index.js';
import { Callback, createEngine, restoreModel, type SpeechModel, Trainer } from '../../src/index.js';
import type { Batch, BatchSource, TrainableModel } from '../../src/nn/index.js';
import { QuietView, type StepReport, type TrainingRun } from '../../src/training/index.js';
import { framesFirst, tensorsOf } from './cases.js';
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
  readonly batches: number;
}

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
  const steps = curve.losses.length;
  const engine = createEngine();
  const losses = new Losses();
  const options = { max_steps: steps, max_epochs: -1, gradient_clip_val: curve.clip, handle_signals: false };
  const trainer = new Trainer(options, { engine, callbacks: [losses], view: new QuietView(() => {}) });
  const model = (await restoreModel(join(where, `${name}.nemo`), trainer)) as SpeechModel;
  const source = await sourceOf(name, curve);
  await trainer.fit(withSource(model, source));
  const results: Result[] = [];
  const add = (quantity: string, values: readonly number[], others: readonly number[]) => {
    const off = values.map((value, i) => relative(value, others[i]));
    const value = Math.max(...off, values.length === steps ? 0 : Number.POSITIVE_INFINITY);
    results.push({ case: name, quantity, value, detail: `step ${off.indexOf(value) + 1} of ${steps}` });
  };
  add(`loss curve of ${name}`, losses.values, curve.losses);
  if (curve.exact) {
    add(`loss curve of ${name}, from double`, losses.values, curve.exact);
    add(`loss curve of ${name} in NeMo, from double`, curve.losses, curve.exact);
  }
  const end = await tensorsOf(join(where, `${name}.end.safetensors`));
  let furthest = 0;
  for (const parameter of model.parameters()) {
    if (parameter.tiedTo) continue;
    const theirs = end.get(parameter.name)!.data;
    const ours = await engine.read(parameter);
    furthest = Math.max(furthest, distance(ours, theirs) / norm(theirs));
  }
  const shown = [0, 9, 19, 29, 39, 49].map(
    (i) => `${i + 1}: ${losses.values[i]?.toFixed(4)}/${curve.losses[i]?.toFixed(4)}`,
  );
  console.log(`${name}: ${shown.join(', ')}; weights at the end differ by ${furthest.toExponential(1)}`);
  for (const { quantity, value, detail } of results)
    console.log(`  ${quantity}: ${value.toExponential(1)} (${detail})`);
  await engine.dispose();
  return results;
}

async function sourceOf(name: string, { losses, batches }: Curve): Promise<BatchSource> {
  const tensors = await tensorsOf(join(where, `${name}.safetensors`));
  const ints = (key: string) => int32(Array.from(tensors.get(key)!.data), tensors.get(key)!.shape);
  const all = Array.from({ length: batches }, (_, i): Batch => {
    const targetLengths = ints(`${i}.target_lengths`);
    const size = targetLengths.shape[0];
    const inputs = {
      features: framesFirst(tensors.get(`${i}.features`)!),
      featureLengths: ints(`${i}.lengths`),
      targets: ints(`${i}.targets`),
      targetLengths,
    };
    return { inputs, size, units: 1, names: Array.from({ length: size }, (_, b) => `${i}.${b}`) };
  });
  return {
    name: 'batches of NeMo',
    batchesInEpoch: () => losses.length,
    async *epoch(_epoch, from = 0) {
      for (let i = from; i < losses.length; i++) yield all[i % batches];
    },
    gauges: () => ({}),
    close: async () => {},
  };
}

/** The model with these batches for training, and no validation. */
function withSource(model: SpeechModel, source: BatchSource): TrainableModel {
  return Object.create(model, {
    trainingSource: { value: async () => source },
    validationSources: { value: async () => [] },
  }) as TrainableModel;
}
