// Checkpoints that are damaged in ways that their hashes do not show: they are named, and the one before is used.
import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { Checkpoint, expManager, readDump, Trainer } from '../../src/training/index.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel } from './toy-model.js';

const whole = temporaryFolder();

async function train(folder: string, steps: number, resuming: object = { resume_if_exists: true }) {
  const view = new RecordingView();
  const config = { max_steps: steps, handle_signals: false, val_check_interval: 2 };
  const trainer = new Trainer(config, { engine: createReferenceEngine(), view });
  await expManager(trainer, {
    explicit_log_dir: folder,
    name: 'toy',
    create_tensorboard_logger: false,
    resume_ignore_no_checkpoint: true,
    ema: { enable: true, decay: 0.9 },
    create_early_stopping_callback: true,
    ...resuming,
  });
  const sched = { name: 'ReduceLROnPlateau', patience: 1 };
  await trainer.fit(new ToyModel({ batches: 4, optim: { name: 'adamw', lr: 0.01, sched } }));
  await trainer.dispose();
  return view;
}

beforeAll(async () => {
  await train(whole, 4);
});

// biome-ignore lint/suspicious/noExplicitAny: any shape is what is tried
type Mutable = Record<string, any>;

/** A copy of the run whose newest checkpoint has a file replaced, with the manifest to fit. */
function damagedRun(change: (checkpoint: Checkpointed) => void): string {
  const folder = temporaryFolder();
  cpSync(whole, folder, { recursive: true });
  change(new Checkpointed(newestOf(folder)));
  return folder;
}

function newestOf(folder: string): string {
  const names = readdirSync(join(folder, 'checkpoints'));
  return join(folder, 'checkpoints', String(names.find((name) => name.endsWith('step=4.ckpt'))));
}

class Checkpointed {
  constructor(private readonly path: string) {}

  manifest(change: (manifest: Mutable) => unknown): void {
    const file = join(this.path, 'manifest.json');
    const value = JSON.parse(readFileSync(file, 'utf8')) as Mutable;
    const changed = change(value);
    writeFileSync(file, JSON.stringify(changed === undefined ? value : changed));
  }

  replace(name: string, bytes: Uint8Array | string): void {
    writeFileSync(join(this.path, name), bytes);
    this.manifest(({ files }) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      files[name] = { bytes: Buffer.byteLength(bytes), sha256 };
    });
  }

  state(change: (state: Mutable) => unknown): void {
    const state = JSON.parse(readFileSync(join(this.path, 'state.json'), 'utf8')) as Mutable;
    const changed = change(state);
    this.replace('state.json', JSON.stringify(changed === undefined ? state : changed));
  }

  remove(name: string): void {
    rmSync(join(this.path, name));
    this.manifest(({ files }) => {
      delete files[name];
    });
  }
}

/** Sets keys of the value at a path of the state. */
const state =
  (path: readonly string[], keys: object) =>
  (checkpoint: Checkpointed): void =>
    checkpoint.state((whole) => {
      Object.assign(
        path.reduce((value, key) => value[key], whole),
        keys,
      );
    });

const manifest = (keys: object) => (checkpoint: Checkpointed) =>
  checkpoint.manifest((whole) => ({ ...whole, ...keys }));

const without = (key: string) => (checkpoint: Checkpointed) =>
  checkpoint.state((whole) => {
    delete whole[key];
  });

const kinds: Readonly<Record<string, (checkpoint: Checkpointed) => void>> = {
  'a manifest of null': (c) => c.manifest(() => null),
  'null among the files': manifest({ files: { 'weights.safetensors': null } }),
  'files that are none': manifest({ files: 'x' }),
  'a date that is a number': manifest({ created: 5 }),
  'a state of null': (c) => c.state(() => null),
  'a state without progress': without('progress'),
  'a state without metrics': without('metrics'),
  'a state without callbacks': without('callbacks'),
  'callbacks of null': state([], { callbacks: null }),
  'a step before the first': state(['progress'], { step: -1 }),
  'an interval of text': state([], { interval: 'x' }),
  'early stopping of null': state(['callbacks'], { early_stopping: null }),
  'patience that is no count': state(['callbacks'], { early_stopping: { best: 1, waited: 'long' } }),
  'samples that are none': state(['callbacks'], { report: { samples: [5] } }),
  'a schedule without its counts': state(['scheduler'], { state: {} }),
  'no averages, which it should have': (c) => c.remove('ema.safetensors'),
  'no weights': (c) => c.remove('weights.safetensors'),
  'weights that are no tensors': (c) => c.replace('weights.safetensors', 'x'),
  'a config that cannot be read': (c) => c.replace('config.yaml', 'a: [\n'),
};

describe('a newest checkpoint with', () => {
  it.each(Object.entries(kinds))('%s is named, and the one before is used', async (_kind, damage) => {
    const folder = damagedRun(damage);
    const { lines, steps } = await train(folder, 5);
    expect(lines.join('\n')).toMatch(
      /step=4\.ckpt: the checkpoint is incomplete or damaged: .*; .*step=2\.ckpt is used/,
    );
    expect(lines.join('\n')).toMatch(/resumed from .*step=2\.ckpt/);
    expect(steps).toEqual([3, 4, 5]);
  });

  it.each(Object.entries(kinds))('%s is an error when it is asked for', async (_kind, damage) => {
    const resuming = { resume_from_checkpoint: newestOf(damagedRun(damage)) };
    await expect(train(temporaryFolder(), 5, resuming)).rejects.toMatchObject({ code: 'checkpoint.damaged' });
  });
});

it('does not start anew over a run whose checkpoints are all damaged', async () => {
  const folder = damagedRun((checkpoint) => checkpoint.manifest(() => null));
  const checkpoints = join(folder, 'checkpoints');
  for (const name of readdirSync(checkpoints).filter(
    (n) => !n.endsWith('step=4.ckpt') && n.endsWith('.ckpt'),
  )) {
    rmSync(join(checkpoints, name), { recursive: true });
  }
  const rows = readFileSync(join(folder, 'metrics.jsonl'), 'utf8');
  await expect(train(folder, 5)).rejects.toThrow(
    /no checkpoint of the run can be used:[\s\S]*remove them to start from/,
  );
  expect(readFileSync(join(folder, 'metrics.jsonl'), 'utf8')).toBe(rows);
});

describe('links instead of files are told without a word of what they lead to', () => {
  const outside = join(temporaryFolder(), 'secret');
  writeFileSync(outside, 'root:x:0:0:');
  const told = (file: string) =>
    new RegExp(`^[^\\n]*${file.replaceAll('.', '\\.')}[^\\n]* is a link;[^\\n]*cp -rL`);

  it.each(['manifest.json', 'state.json', 'config.yaml', 'weights.safetensors'])('%s', async (file) => {
    const path = newestOf(damagedRun(() => {}));
    rmSync(join(path, file));
    symlinkSync(outside, join(path, file));
    const error = await Checkpoint.open(path).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'checkpoint.damaged', message: expect.stringMatching(told(file)) });
    expect((error as Error).message).not.toContain('root');
  });

  it.each(['step.json', 'config.yaml'])('%s of a step for replay', async (file) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'step.json'), '{}');
    rmSync(join(folder, file), { force: true });
    symlinkSync(outside, join(folder, file));
    const error = await readDump(folder).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'replay.damaged', message: expect.stringMatching(told(file)) });
    expect((error as Error).message).not.toContain('root');
  });

  it('but a link to the whole checkpoint is a path to it like any other', async () => {
    const path = newestOf(damagedRun(() => {}));
    renameSync(path, `${path}.moved`);
    symlinkSync(`${path}.moved`, path);
    expect((await Checkpoint.open(path)).path).toBe(path);
  });
});
