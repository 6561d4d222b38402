// A training run of several ranks, for tests: train-ranks.ts FOLDER TRAINER_JSON [SECONDS_A_BATCH] [MODEL_JSON]
// MODEL_JSON: options of the toy model, and `compiles`: on the default engine; `tests`: a test follows, which `fails`.
import { existsSync } from 'node:fs';
import { joinedWorld, reportAmongRanks } from '../../../src/distributed/index.js';
import { createReferenceEngine, OnnxEngine } from '../../../src/engine/index.js';
import type { Batch } from '../../../src/model/index.js';
import { Callback, exitCodeOf, expManager, Trainer } from '../../../src/training/index.js';
import { ToyModel, ToySource } from '../toy-model.js';

const [folder, options, delay = '0', model = '{}'] = process.argv.slice(2);
const { compiles = false, tests = false, ...given } = JSON.parse(model);

/** Throws on rank 1 when the test asks for it. */
class Thrower extends Callback {
  readonly name = 'thrower';
  override async onStep(): Promise<void> {
    if (existsSync(`${folder}/throw`) && joinedWorld()?.rank === 1) throw new Error('rank 1 has had enough');
  }
}

/** Cannot be read on rank 1 when the test asks for it. */
class Testing extends ToySource {
  override async *epoch(epoch: number, from?: number): AsyncIterable<Batch> {
    if (tests === 'fails' && joinedWorld()?.rank === 1) throw new Error('rank 1 has lost the test set');
    yield* super.epoch(epoch, from);
  }
}

try {
  const trainer = new Trainer(
    { log_every_n_steps: 1, gradient_clip_val: 0.5, ...JSON.parse(options) },
    {
      engine: compiles ? new OnnxEngine({ threads: 1 }) : createReferenceEngine(),
      callbacks: [new Thrower()],
    },
  );
  await expManager(trainer, {
    explicit_log_dir: folder,
    name: 'toy',
    create_tensorboard_logger: false,
    create_csv_logger: true,
    resume_if_exists: true,
    resume_ignore_no_checkpoint: true,
    checkpoint_callback_params: { every_n_train_steps: 2, save_top_k: 2 },
    ema: { enable: true, decay: 0.95 },
  });
  const toy = new ToyModel({
    delay: 1000 * Number(delay),
    batches: 10,
    optim: { name: 'adamw', lr: 0.02, sched: { name: 'CosineAnnealing', warmup_steps: 5 } },
    ...given,
  });
  const { outcome } = await trainer.fit(toy);
  if (tests) await trainer.test(toy, { data: new Testing('toy-test', { batches: 3 }) });
  if (outcome.kind === 'interrupted') process.exitCode = exitCodeOf(outcome.reason);
} catch (error) {
  const { text, exitCode } = reportAmongRanks(error);
  process.stderr.write(text);
  process.exitCode = exitCode;
}
