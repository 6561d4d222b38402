// A training run in a process of its own, for tests that kill it: train-toy.ts FOLDER MAX_STEPS DELAY_MS
import { createReferenceEngine } from '../../../src/engine/index.js';
import { exitCodeOf, expManager, Trainer } from '../../../src/training/index.js';
import { ToyModel } from '../toy-model.js';

const [folder, steps, delay] = process.argv.slice(2);
const trainer = new Trainer(
  { max_steps: Number(steps), log_every_n_steps: 1, val_check_interval: 5 },
  { engine: createReferenceEngine() },
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
const { outcome } = await trainer.fit(
  new ToyModel({
    delay: Number(delay),
    optim: { name: 'adamw', lr: 0.02, sched: { name: 'CosineAnnealing', warmup_steps: 5 } },
  }),
);
if (outcome.kind === 'interrupted') process.exitCode = exitCodeOf(outcome.reason);
