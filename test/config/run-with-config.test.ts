// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of configs look like templates
// The hydra_runner counterpart: what a script's command line does, and how errors leave.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type Config, runWithConfig } from '../../src/config/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-run-'));
writeFileSync(join(folder, 'tiny.yaml'), 'trainer:\n  max_epochs: 1\nname: run_${trainer.max_epochs}\n');
writeFileSync(join(folder, 'other.yaml'), 'x: 1\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  process.exitCode = undefined;
});

async function run(argv: string[], main: (config: Config) => unknown = () => undefined) {
  const out: string[] = [];
  const err: string[] = [];
  const configs: Config[] = [];
  const code = await runWithConfig(
    (config) => {
      configs.push(config);
      return main(config);
    },
    {
      configPath: pathToFileURL(`${folder}/`),
      configName: 'tiny',
      argv,
      stdout: { write: (text) => out.push(text) },
      stderr: { write: (text) => err.push(text) },
    },
  );
  return { code, configs, out: out.join(''), err: err.join(''), exitCode: process.exitCode };
}

describe('runWithConfig', () => {
  it('hands main the config with the overrides of the command line', async () => {
    const { code, configs } = await run(['trainer.max_epochs=3', '+trainer.devices=2']);
    expect(code).toBe(0);
    expect(configs[0].trainer).toEqual({ max_epochs: 3, devices: 2 });
    expect(configs[0].name).toBe('run_3');
  });

  it.each([
    [['--config-name', 'other']],
    [['--config-name=other.yaml']],
    [['-cn', 'other', '--config-path', folder]],
  ])('takes another config: %j', async (argv) => {
    const { configs } = await run(argv);
    expect(configs[0]).toEqual({ x: 1 });
  });

  it('prints the effective config for --cfg job and --help, and does not run', async () => {
    const { out, configs, code } = await run(['--cfg', 'job', 'trainer.max_epochs=2']);
    expect(out).toBe('trainer:\n  max_epochs: 2\nname: run_2\n');
    expect((await run(['--help'])).out).toMatch(/^Usage: [\s\S]*== .*tiny\.yaml ==\ntrainer:/);
    expect([configs.length, code]).toEqual([0, 0]);
  });

  it("exits 2 with one line for the user's mistakes", async () => {
    const wrong = await run(['trainer.max_epoch=3']);
    expect(wrong).toMatchObject({ code: 2, exitCode: 2, configs: [] });
    expect(wrong.err).toBe(
      'error: override trainer.max_epoch=3: there is no "max_epoch" in "trainer" — did you mean "max_epochs"? To add a new key, write +trainer.max_epoch=3\n',
    );
    expect((await run(['--epochs', '3'])).err).toMatch(/^error: unknown flag --epochs — .*\n$/);
    expect((await run(['--config-name'])).err).toMatch('needs a value');
    expect((await run(['--config-name', 'nope'])).err).toMatch(/^error: there is no file .*nope\.yaml/);
  });

  it('exits 1 with the stack for bugs, also from async code', async () => {
    const { code, err } = await run([], async () => {
      await Promise.resolve();
      throw new TypeError('boom');
    });
    expect(code).toBe(1);
    expect(err).toMatch(/unexpected error.*\nTypeError: boom\n\s+at /);
  });
});
