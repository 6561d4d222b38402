import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configFromText } from '../../src/config/index.js';
import { createReferenceEngine } from '../../src/engine/index.js';
import { readScalarEvents } from '../../src/formats/index.js';
import { expManager, readMetricRows, Trainer } from '../../src/training/index.js';
import { RecordingView, temporaryFolder, weightsOf } from './helpers.js';
import { ToyModel, type ToyOptions } from './toy-model.js';

async function runWith(section: object, config: object = {}, options: ToyOptions = {}) {
  const view = new RecordingView();
  const engine = createReferenceEngine();
  const settings = { max_epochs: 1, log_every_n_steps: 5, handle_signals: false, ...config };
  const trainer = new Trainer(settings, { engine, view });
  const folder = String(await expManager(trainer, section));
  const model = new ToyModel(options);
  const result = await trainer.fit(model);
  return { folder, view, engine, model, result };
}

describe('exp_manager', () => {
  it('names the folders of runs', async () => {
    const exp_dir = temporaryFolder();
    const folderOf = async (section: object) => {
      const trainer = new Trainer({}, { view: new RecordingView(), engine: createReferenceEngine() });
      return expManager(trainer, { exp_dir, name: 'toy', ...section });
    };
    expect(await folderOf({})).toMatch(/toy.\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d$/);
    expect(await folderOf({ use_datetime_version: false })).toBe(join(exp_dir, 'toy', 'version_0'));
    expect(await folderOf({ use_datetime_version: false })).toBe(join(exp_dir, 'toy', 'version_1'));
    expect(await folderOf({ version: 'try' })).toBe(join(exp_dir, 'toy', 'try'));
    const resuming = { resume_if_exists: true, resume_ignore_no_checkpoint: true };
    expect(await folderOf(resuming)).toBe(join(exp_dir, 'toy'));
    expect(await expManager(new Trainer({}, { view: new RecordingView() }), null)).toBeUndefined();
  });

  it.each([true, false])('gives runs that start at once folders of their own: by time %s', async (byTime) => {
    const exp_dir = temporaryFolder();
    const folders = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const trainer = new Trainer({}, { view: new RecordingView(), engine: createReferenceEngine() });
        return expManager(trainer, { exp_dir, name: 'toy', use_datetime_version: byTime });
      }),
    );
    expect(new Set(folders).size).toBe(4);
    expect(readdirSync(join(exp_dir, 'toy'))).toHaveLength(4);
  });

  it.each([
    [{ name: 'a/b' }, /name: expected a plain name, got .*a\/b.*: \/ and .* lead into another folder/],
    [{ name: '..' }, /name: expected/],
    [{ name: '.hidden' }, /name: .* starts with a dot is hidden/],
    [{ name: '' }, /name: expected/],
    [{ version: '../x' }, /version: expected a plain name/],
    [
      { checkpoint_callback_params: { prefix: 'a\\b' } },
      /checkpoint_callback_params.prefix: expected a plain/,
    ],
    [{ checkpoint_callback_params: { prefix: 'x'.repeat(200) } }, /prefix: .*more than 128 bytes/],
    [{ checkpoint_callback_params: { postfix: '/x.nemo' } }, /postfix: expected a plain name/],
  ])('refuses names that lead elsewhere: %j', async (section, said) => {
    const trainer = new Trainer({}, { view: new RecordingView(), engine: createReferenceEngine() });
    await expect(expManager(trainer, { exp_dir: temporaryFolder(), ...section })).rejects.toThrow(said);
  });

  it('logs a test of the model that was trained, once however often the finished run is started', async () => {
    const resuming = { resume_if_exists: true, resume_ignore_no_checkpoint: true };
    const section = { explicit_log_dir: temporaryFolder(), ...resuming, create_csv_logger: true };
    for (let start = 0; start < 2; start++) {
      const trainer = new Trainer(
        { max_epochs: 1, log_every_n_steps: 5, handle_signals: false },
        { view: new RecordingView(), engine: createReferenceEngine() },
      );
      const folder = String(await expManager(trainer, section));
      const model = new ToyModel();
      const { progress } = await trainer.fit(model);
      const { metrics } = await trainer.test(model);
      await trainer.test(new ToyModel());
      await trainer.dispose();
      const rows = await readMetricRows(join(folder, 'metrics.jsonl'));
      const tested = rows.filter((row) => 'test/loss' in row);
      expect(tested).toMatchObject([{ step: progress.step, 'test/loss': metrics['test/loss'] }]);
      expect(rows.filter((row) => 'train/loss' in row).map((row) => row.step)).toEqual([5, 10]);
      expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('<dt>test/loss</dt>');
      const events = readdirSync(folder).filter((name) => name.startsWith('events.out'));
      const scalars = events.flatMap((name) => readScalarEvents(readFileSync(join(folder, name))));
      expect(scalars.filter(({ tag }) => tag === 'test/loss')).toHaveLength(1);
      expect(readFileSync(join(folder, 'metrics.csv'), 'utf8').split('\n')[0]).toContain('test/loss');
    }
  });

  it('writes TensorBoard, CSV, JSON lines, a log and a report', async () => {
    const { folder } = await runWith({ explicit_log_dir: temporaryFolder(), create_csv_logger: true });
    const rows = await readMetricRows(join(folder, 'metrics.jsonl'));
    expect(rows.map((row) => row.step)).toEqual(expect.arrayContaining([5, 10]));
    const logged = rows.find((row) => row.step === 5 && 'train/loss' in row);
    const events = readdirSync(folder).filter((name) => name.startsWith('events.out'));
    const scalars = readScalarEvents(readFileSync(join(folder, events[0])));
    expect(scalars.find(({ tag, step }) => tag === 'train/loss' && step === 5)?.value).toBeCloseTo(
      Number(logged?.['train/loss']),
      5,
    );
    const [header, first] = readFileSync(join(folder, 'metrics.csv'), 'utf8').split('\n');
    expect(header).toContain('val/loss');
    expect(first.split(',')[header.split(',').indexOf('train/loss')]).toBe(String(logged?.['train/loss']));
    expect(readFileSync(join(folder, 'anemone_log.txt'), 'utf8')).toContain('max_epochs=1 reached');
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('val/loss');
  });

  it('starts no run from the beginning among the checkpoints of another', async () => {
    const section = { explicit_log_dir: temporaryFolder() };
    const { folder } = await runWith(section);
    const before = readdirSync(join(folder, 'checkpoints'));
    await expect(runWith(section)).rejects.toThrow(
      /of an earlier run in .*exp_manager\.resume_if_exists=true/,
    );
    expect(readdirSync(join(folder, 'checkpoints'))).toEqual(before);
    const { result } = await runWith({ ...section, resume_if_exists: true }, { max_epochs: 2 });
    expect(result.progress.epoch).toBe(2);
  });

  it('stops a run that no longer improves', async () => {
    const early = { monitor: 'val_loss', mode: 'max', patience: 2, min_delta: 0 };
    const { result } = await runWith(
      {
        explicit_log_dir: temporaryFolder(),
        create_early_stopping_callback: true,
        early_stopping_callback_params: early,
      },
      { max_epochs: 30 },
    );
    expect(result.outcome.kind).toBe('stopped');
    expect(result.outcome.reason).toMatch(
      /early stopping: val_loss has not improved on .* for 2 validations/,
    );
  });

  it('stops at max_time_per_run', async () => {
    const section = { explicit_log_dir: temporaryFolder(), max_time_per_run: '00:00:00:00' };
    const { result } = await runWith(section);
    expect(result.outcome.reason).toBe('max_time_per_run reached');
    expect(result.progress.step).toBe(1);
  });

  it('validates averaged weights and trains on from the others', async () => {
    const ema = { enable: true, decay: 0.9 };
    const plain = await runWith({ explicit_log_dir: temporaryFolder() }, { max_epochs: 2 });
    const averaged = await runWith({ explicit_log_dir: temporaryFolder(), ema }, { max_epochs: 2 });
    const original = { ...ema, validate_original_weights: true };
    const checked = await runWith({ explicit_log_dir: temporaryFolder(), ema: original }, { max_epochs: 2 });
    expect(await weightsOf(averaged.model, averaged.engine)).toEqual(
      await weightsOf(plain.model, plain.engine),
    );
    expect(averaged.result.metrics['val/loss']).not.toBe(plain.result.metrics['val/loss']);
    expect(checked.result.metrics['val/loss']).toBe(plain.result.metrics['val/loss']);
    const trainer = new Trainer({}, { engine: createReferenceEngine(), view: new RecordingView() });
    const evaluated = await trainer.validate(new ToyModel(), { checkpoint: averaged.folder });
    expect(evaluated.metrics['val/loss']).toBe(averaged.result.metrics['val/loss']);
    const raw = await trainer.validate(new ToyModel(), { checkpoint: averaged.folder, weights: 'raw' });
    expect(raw.metrics['val/loss']).toBe(plain.result.metrics['val/loss']);
  });

  it('averages as the formula says', async () => {
    const { model, engine, folder } = await runWith(
      { explicit_log_dir: temporaryFolder(), ema: { enable: true, decay: 0.75 } },
      { max_steps: 1, max_epochs: null },
    );
    const { resolveCheckpoint } = await import('../../src/training/index.js');
    const averages = await (await resolveCheckpoint(folder)).tensors('ema');
    for (const parameter of model.module.parameters()) {
      const [start, now] = [parameter.initialValue(), await engine.read(parameter)];
      const average = averages.get(`ema/${parameter.name}`)?.data as Float32Array;
      average.forEach((value, i) => {
        expect(value).toBeCloseTo(0.75 * start[i] + 0.25 * now[i], 6);
      });
    }
  });

  it('reads a section as NeMo writes it and names what has no effect', async () => {
    const yaml = `
exp_manager:
  explicit_log_dir: ${temporaryFolder()}
  name: toy
  create_tensorboard_logger: true
  create_checkpoint_callback: true
  checkpoint_callback_params: {monitor: val_loss, mode: min, save_top_k: 5, always_save_nemo: true}
  resume_if_exists: false
  resume_ignore_no_checkpoint: false
  create_wandb_logger: true
  wandb_logger_kwargs: {name: null, project: null}
`;
    const { view } = await runWith(configFromText(yaml)['exp_manager'] as object);
    expect(view.lines.join('\n')).toMatch(/create_wandb_logger.*no effect/);
    await expect(runWith({ exp_dri: 'x' })).rejects.toThrow(/exp_dir/);
  });

  it('copies files and keeps the command line', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'in'));
    writeFileSync(join(folder, 'in', 'notes.txt'), 'hello');
    await runWith({
      explicit_log_dir: join(folder, 'out'),
      files_to_copy: [join(folder, 'in', 'notes.txt')],
    });
    expect(readFileSync(join(folder, 'out', 'notes.txt'), 'utf8')).toBe('hello');
    expect(existsSync(join(folder, 'out', 'cmd-args.log'))).toBe(true);
  });
});
