// The example whose parts are all of the user's own, as a user runs it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'anemone-own-speech-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function anemone(...args: string[]) {
  const command = [
    '--import',
    'tsx',
    'src/cli/main.ts',
    ...args,
    '--import',
    './examples/own-speech/parts.ts',
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

const lossesOf = (err: string) => [...err.matchAll(/\| loss (\S+)/g)].map((match) => Number(match[1]));

describe('a model of parts of the user', () => {
  it('trains, is saved with its parts named, and refuses to be an archive of NeMo', () => {
    const run = [`+exp_manager.exp_dir=${folder}`, '+exp_manager.name=own', '+exp_manager.version=a'];
    const { code, err } = anemone('train', 'examples/own-speech/model.yaml', 'trainer.max_epochs=6', ...run);
    expect(code, err).toBe(0);
    const losses = lossesOf(err);
    expect(losses.at(-1)).toBeLessThan(losses[0] / 4);
    expect(err).toMatch(/validation at step 48: val\/wer 0\.000/);
    expect(err).toMatch(/own\.nemo: .*NeMo has no DoubtfulCTC/);
    expect(err).toMatch(/the engine ran \d+ programs/);
    const tested = anemone('validate', join(folder, 'own/a'));
    expect(tested.out, tested.err).toMatch(/val\/wer: 0\.00%/);
  });

  it('trains as a transducer', () => {
    const changes = ['trainer.max_epochs=3', 'model.optim.sched.every=10'];
    const { code, err } = anemone('train', 'examples/own-speech/transducer.yaml', ...changes);
    expect(code, err).toBe(0);
    expect(err).toMatch(/step 8\/24 .* lr 1\.00e-2 /);
    expect(err).toMatch(/step 16\/24 .* lr 5\.00e-3 /);
    const losses = lossesOf(err);
    expect(losses.at(-1)).toBeLessThan(losses[0]);
  });

  it('has its parts listed, with their keys', () => {
    expect(anemone('components').out).toMatch(/^transducer_loss: RNNTLoss, RootLengthRNNT$/m);
    expect(anemone('components', 'PitchBands').out).toMatch(/preprocessor PitchBands[\s\S]*hertz/);
  });
});
