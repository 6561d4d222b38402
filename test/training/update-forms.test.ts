// A run whose updates go over vectors (by the C API) writes, byte for byte, the checkpoints of one whose go tensor by tensor
// (by the binding), and goes on from theirs: with gradients that are added up, limits, averages, frozen parameters, and
// steps that are refused.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { OnnxEngine } from '../../src/engine/index.js';
import { expManager, resolveCheckpoint, Trainer } from '../../src/training/index.js';
import { byWay, type Way } from '../engine/ways.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

interface Kind {
  readonly trainer?: object;
  readonly toy?: ToyOptions;
  readonly manager?: object;
  readonly frozen?: string;
}

const KINDS: Readonly<Record<string, Kind>> = {
  'one batch a step': {},
  'a step that is refused': { toy: { poison: { batch: 2, value: Number.NaN } } },
  'gradients that are added up': { trainer: { accumulate_grad_batches: 3 } },
  'gradients that are added up, one refused': {
    trainer: { accumulate_grad_batches: 3 },
    toy: { poison: { batch: 1, value: Number.NaN } },
  },
  'a limit of the norm': { trainer: { gradient_clip_val: 0.1 } },
  'a limit of each number': { trainer: { gradient_clip_val: 0.01, gradient_clip_algorithm: 'value' } },
  'averaged weights': { manager: { ema: { enable: true, decay: 0.9 } } },
  'frozen parameters': { frozen: 'first' },
  novograd: { toy: { optim: { name: 'novograd', lr: 0.01, weight_decay: 0.001 } } },
  lamb: { toy: { optim: { name: 'lamb', lr: 0.01, weight_decay: 0.001 } } },
  adafactor: { toy: { optim: { name: 'adafactor', lr: 0.01 } } },
};

const engine = new OnnxEngine({ threads: 2 });
afterAll(() => engine.dispose());

async function train(way: Way, folder: string, steps: number, kind: Kind): Promise<void> {
  const manager = {
    explicit_log_dir: folder,
    create_tensorboard_logger: false,
    create_report: false,
    resume_if_exists: true,
    resume_ignore_no_checkpoint: true,
    ...kind.manager,
  };
  await byWay(way, async () => {
    const config = { handle_signals: false, max_steps: steps, nonfinite: 'skip' as const, ...kind.trainer };
    const trainer = new Trainer(config, { engine, view: new RecordingView() });
    await expManager(trainer, manager);
    const model = new ToyModel({ optim: { name: 'adamw', lr: 0.01, weight_decay: 0.1 }, ...kind.toy });
    if (kind.frozen) model.module.freeze(kind.frozen);
    await trainer.fit(model);
  });
}

/** Files of tensors of the latest checkpoint. */
async function tensorsIn(folder: string): Promise<Record<string, string>> {
  const checkpoint = await resolveCheckpoint(folder);
  const groups = ['weights', 'optimizer', 'ema'].filter((group) => checkpoint.has(group));
  return Object.fromEntries(
    groups.map((group) => [
      group,
      readFileSync(join(checkpoint.path, `${group}.safetensors`)).toString('base64'),
    ]),
  );
}

describe.each(Object.entries(KINDS))('with %s', (_, kind) => {
  it('the checkpoints are the same files, and runs go on from either', async () => {
    const [flat, whole, resumed] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    await train('capi', flat, 8, kind);
    await train('binding', whole, 8, kind);
    expect(await tensorsIn(flat)).toEqual(await tensorsIn(whole));
    await train('binding', resumed, 4, kind);
    await train('capi', resumed, 8, kind);
    expect(await tensorsIn(resumed)).toEqual(await tensorsIn(flat));
  });
});
