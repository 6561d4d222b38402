// What a full disk does to each file of a run. /dev/full refuses every byte, as a full disk does.
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { EventWriter } from '../../src/formats/index.js';
import { CsvLogger, expManager, JsonLinesLogger, Trainer } from '../../src/training/index.js';
import { skipUnless } from '../skipping.js';
import { RecordingView, temporaryFolder } from './helpers.js';
import { ToyModel } from './toy-model.js';

const full = expect.objectContaining({
  code: 'io.disk-full',
  message: expect.stringMatching(/the disk is full — free/),
});

function makeFull(path: string): void {
  rmSync(path, { force: true });
  symlinkSync('/dev/full', path);
}

async function trainer(folder: string, section: object, config: object = {}) {
  const view = new RecordingView();
  const settings = { max_epochs: 3, log_every_n_steps: 5, handle_signals: false, ...config };
  const made = new Trainer(settings, { engine: createReferenceEngine(), view });
  await expManager(made, { explicit_log_dir: folder, create_tensorboard_logger: false, ...section });
  return { made, view };
}

describe('a full disk', () => {
  skipUnless(existsSync('/dev/full'), 'there is no /dev/full');

  it('stops a run before it starts', async () => {
    const folder = temporaryFolder();
    makeFull(join(folder, 'cmd-args.log'));
    await expect(trainer(folder, {})).rejects.toThrow(full);
  });

  it.each([
    ['metrics.csv', (path: string) => new CsvLogger(path)],
    ['metrics.jsonl', (path: string) => new JsonLinesLogger(path)],
  ])('is told by %s, which keeps what it had', async (name, make) => {
    const path = join(temporaryFolder(), name);
    const logger = make(path);
    await logger.start(0);
    await logger.log(1, { loss: 1 });
    const before = readFileSync(path, 'utf8');
    // Rewriting, as on resuming: the old file stays.
    symlinkSync('/dev/full', `${path}.partial`);
    await expect(make(path).start(1)).rejects.toThrow(full);
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(existsSync(`${path}.partial`)).toBe(false);
    makeFull(path);
    await expect(logger.log(2, { loss: 1 })).rejects.toThrow(full);
  });

  it('is told by TensorBoard', () => {
    const folder = temporaryFolder();
    makeFull(join(folder, `events.out.tfevents.0000000007.${hostname()}.${process.pid}`));
    expect(() => new EventWriter(folder, { clock: () => 7 })).toThrow(
      /TensorBoard log cannot be written: ENOSPC/,
    );
  });

  it('is told by the report, and the weights are saved all the same', async () => {
    const folder = temporaryFolder();
    const { made } = await trainer(folder, { checkpoint_callback_params: { monitor: 'val_loss' } });
    mkdirSync(folder, { recursive: true });
    symlinkSync('/dev/full', join(folder, 'report.html.partial'));
    await expect(made.fit(new ToyModel())).rejects.toThrow(full);
    const again = new Trainer({}, { engine: createReferenceEngine(), view: new RecordingView() });
    expect((await again.validate(new ToyModel(), { checkpoint: folder })).metrics).toHaveProperty([
      'val/loss',
    ]);
  });

  it('is told once when saving fails for the same reason', async () => {
    const folder = temporaryFolder();
    const { made, view } = await trainer(folder, {});
    // A file where the checkpoints should go is met by every save alike.
    const blocked = made.callbacks.find((c) => c.name === 'checkpoint');
    if (!blocked) throw new Error('no checkpoint callback');
    blocked.onFitStart = async () => {
      writeFileSync(join(folder, 'checkpoints'), '');
    };
    await expect(made.fit(new ToyModel())).rejects.toThrow(/a file stands where a folder is needed/);
    expect(view.lines.join('\n')).not.toContain('saving failed too');
  });
});
