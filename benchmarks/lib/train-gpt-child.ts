// Anemone's side of train-gpt.ts: the Trainer's own compiled step on one batch, over and over.
import { OnnxEngine } from '../../src/engine/index.js';
import { createOptimizer } from '../../src/optim/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { StepPrograms } from '../../src/training/fit/step-programs.js';
import { engineFor } from '../../src/training/precision.js';
import { serve } from './answer.js';
import { type GptSizes, gpt, tokenBatch, trainable } from './gpt.js';

const sizes = JSON.parse(process.argv[2]) as GptSizes;
const engine = engineFor(
  sizes.precision ?? '32-true',
  new OnnxEngine({
    threads: sizes.threads,
    ...(process.env['PROFILE'] ? { profile: process.env['PROFILE'] } : {}),
  }),
);
const network = gpt(sizes);
network.seed = 1;
const optim = { name: 'adamw', lr: 3e-4, betas: [0.9, 0.95], weight_decay: 0.1 };
const optimizer = createOptimizer(optim, network.parameters());
const programs = new StepPrograms(engine, trainable(network), optimizer, { algorithm: 'norm', limit: 1 });
const batch = tokenBatch(sizes);
const random = new CounterRandom(1);
if (process.env['MEMORY']) {
  const specs = Object.fromEntries(Object.entries(batch.inputs).map(([key, { dtype, shape }]) => [key, { dtype, shape }])); // biome-ignore format: one line
  const memory = programs.memoryOf(specs, false);
  console.error(
    'alive MiB',
    (memory?.aliveBytes ?? 0) / 2 ** 20,
    'planned',
    memory?.planned,
    'nodes',
    memory?.nodes,
  );
  for (const values of memory?.alive ?? []) console.error(JSON.stringify(values));
}
let step = 0;
await serve({ parameters: network.parameterCount() }, async () => {
  let loss = Number.NaN;
  for (let i = 0; i < (sizes.steps ?? 1); i++) {
    step++;
    const scalars = optimizer.scalars(step, (lr) => lr);
    ({ loss } = await programs.run([{ batch, random: random.derive(step) }], scalars));
  }
  return { loss };
});
await engine.dispose();
