// The example with an encoder of the user's own: as a user runs it, and that padding does not reach its output.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TimeDelayEncoder, timeDelaySchema } from '../../examples/custom-encoder/encoder.js';
import { createEngine, type HostTensors } from '../../src/engine/index.js';
import { evaluationPass } from '../../src/nn/index.js';

const root = join(import.meta.dirname, '../..');

const example = (...overrides: string[]) => node('examples/custom-encoder/train.ts', ...overrides);
const anemone = (...args: string[]) => node('src/cli/main.ts', ...args);

function node(...command: string[]) {
  const args = ['--import', 'tsx', ...command];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

describe('an encoder of the user', () => {
  it('trains in place of a Conformer, named in YAML', () => {
    const { code, out, err } = example('trainer.max_epochs=15', 'trainer.log_every_n_steps=1');
    expect(code, err).toBe(0);
    const losses = [...err.matchAll(/loss (\S+)/g)].map((match) => Number(match[1]));
    expect(losses).toHaveLength(30);
    expect(losses[29]).toBeLessThan(losses[0] / 2);
    expect(out).toMatch(/7\.flac is heard as "/);
  });

  it('has its keys checked as the library does its own', () => {
    const { code, err } = example('+model.encoder.witdh=96');
    expect(code).toBe(2);
    expect(err).toMatch(/witdh.*did you mean "width"/);
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('is trained, tested and used from the command line with --import', () => {
    const folder = mkdtempSync(join(tmpdir(), 'anemone-own-'));
    const own = ['--import', './examples/custom-encoder/encoder.ts'];
    const run = [`+exp_manager.exp_dir=${folder}`, '+exp_manager.name=own', '+exp_manager.version=a'];
    const trained = anemone(
      'train',
      'examples/custom-encoder/model.yaml',
      'trainer.max_epochs=2',
      ...run,
      ...own,
    );
    expect(trained.code, trained.err).toBe(0);
    const checkpoint = join(folder, 'own/a');
    const manifest = ['--manifest', 'examples/custom-encoder/digits.jsonl'];
    const tested = anemone('test', checkpoint, ...manifest, ...own);
    expect(tested.code, tested.err).toBe(0);
    expect(tested.out).toMatch(/^test\/wer: /);
    const heard = anemone('transcribe', checkpoint, 'examples/digits/voices/allison/7.flac', ...own);
    expect(heard.out, heard.err).toMatch(/7\.flac\t/);
    const without = anemone('test', checkpoint, ...manifest);
    expect(without.code).toBe(2);
    expect(without.err).toMatch(/no encoder named "TimeDelayEncoder".*--import/);
    rmSync(folder, { recursive: true });
  });

  it('gives an utterance the same output in a longer batch', async () => {
    const engine = createEngine({ name: 'reference' });
    const encoder = new TimeDelayEncoder(timeDelaySchema.parse({ feat_in: 3, width: 4 }));
    const program = engine.compile('encode', ({ features, lengths }) => ({
      ...encoder.forward(features, lengths, evaluationPass),
    }));
    const run = async (frames: number): Promise<HostTensors> => {
      // Three stacked frames come from frames 0 to 11; whatever follows is padding that must not be heard.
      const data = Float32Array.from({ length: frames * 3 }, (_, i) => (i < 36 ? Math.sin(i) : 5));
      return program.run({
        features: { shape: [1, frames, 3], dtype: 'float32', data },
        lengths: { shape: [1], dtype: 'int32', data: Int32Array.of(9) },
      });
    };
    const [short, long] = [await run(12), await run(24)];
    expect([...short['lengths'].data]).toEqual([3]);
    expect(encoder.outputLength(9)).toBe(3);
    for (const [i, value] of [...short['encoded'].data].entries())
      expect(long['encoded'].data[i]).toBeCloseTo(value, 4);
    await engine.dispose();
  });
});
