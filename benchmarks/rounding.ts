// How much of an error rate is rounding? Trains one config several times, alike but for one unit in the last place of
// each initial weight, up or down at random: what another CPU's products would differ by after the first step.
//   npx tsx benchmarks/rounding.ts conf/quickstart.yaml --runs 3 [overrides...]
// Run 0 is not perturbed. Prints the test metrics of each run, then their range.
import { parseArgs } from 'node:util';
import { createFromConfig, SpeechModel } from '../src/asr/index.js';
import { type ConfigNode, loadConfig } from '../src/config/index.js';
import { CounterRandom } from '../src/random/index.js';
import { expManager, resolveCheckpoint, Trainer } from '../src/training/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '3' } },
});
const [file, ...overrides] = positionals;
const all: Record<string, number>[] = [];
for (let run = 0; run < Number(values.runs); run++) {
  const metrics = await trainedMetrics(run);
  all.push(metrics);
  console.log(`run ${run}: ${JSON.stringify(metrics)}`);
}
for (const key of Object.keys(all[0])) {
  const numbers = all.map((metrics) => metrics[key]);
  console.log(`${key}: ${Math.min(...numbers)} to ${Math.max(...numbers)}`);
}

async function trainedMetrics(run: number): Promise<Record<string, number>> {
  const config = loadConfig(file, [...overrides, `++exp_manager.version=rounding-${run}`]);
  const trainer = new Trainer(config['trainer'] ?? {});
  const folder = await expManager(trainer, config['exp_manager'] as ConfigNode);
  const { seed, view, engine } = trainer;
  try {
    const model = await createFromConfig(config, { seed, view, engine }, (line) => view.say(line));
    if (run > 0 && model instanceof SpeechModel) await perturb(model, trainer, run);
    await trainer.fit(model);
    const best = folder === undefined ? undefined : await resolveCheckpoint(folder).catch(() => undefined);
    const findings = await trainer.test(model, { checkpoint: best?.path });
    return { ...findings.metrics };
  } finally {
    await trainer.dispose();
  }
}

/** Moves every weight that is not zero to a neighbouring number. */
async function perturb(model: SpeechModel, trainer: Trainer, run: number): Promise<void> {
  for (const parameter of model.parameters()) {
    if (!parameter.trainable) continue;
    const data = (await trainer.engine.read(parameter)) as Float32Array;
    const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
    const random = new CounterRandom(run, parameter.name);
    for (let i = 0; i < bits.length; i++) if (data[i] !== 0) bits[i] += random.uniform(i) < 0.5 ? -1 : 1;
    await trainer.engine.write(parameter, data);
  }
}
