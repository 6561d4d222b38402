// Anemone's side of train-step.ts: the Trainer's own compiled step on one batch, over and over.
import { OnnxEngine } from '../../src/engine/index.js';
import { createOptimizer } from '../../src/optim/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { LossScale } from '../../src/training/fit/loss-scale.js';
import { StepPrograms } from '../../src/training/fit/step-programs.js';
import { engineFor, productTypeOf } from '../../src/training/precision.js';
import { serve } from './answer.js';
import { noiseBatch, type Sizes, transducer } from './model.js';

const sizes = JSON.parse(process.argv[2]) as Sizes;
const { precision = '32-true' } = sizes;
const engine = engineFor(
  precision,
  new OnnxEngine({
    threads: sizes.threads,
    ...(process.env['PROFILE'] ? { profile: process.env['PROFILE'] } : {}),
  }),
);
const model = transducer(sizes, engine);
const optimizer = createOptimizer(
  model.config['optim'] as Record<string, unknown>,
  model.module.parameters(),
);
const lossScale = productTypeOf(precision) === 'float16' ? LossScale.from('dynamic') : undefined;
const clipping = { algorithm: 'norm', limit: undefined } as const;
const programs = new StepPrograms(engine, model, optimizer, clipping, 'large_batch', lossScale);
const batch = noiseBatch(sizes);
const random = new CounterRandom(1);
let step = 0;
const parameters = [...model.module.parameters()].reduce((sum, p) => sum + p.size, 0);
await serve({ parameters }, async () => {
  step++;
  const scalars = optimizer.scalars(step, (lr) => lr);
  const { loss } = await programs.run([{ batch, random: random.derive(step) }], scalars);
  return { loss };
});
await engine.dispose();
