// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of configs look like templates
// Mistakes of a user on the command line: each ends with exit code 2 and a line that says what, where and what to do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { run } from '../../src/cli/main.js';
import { toYaml } from '../../src/config/index.js';
import { tinyModel } from '../asr/support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-bad-'));
const file = (name: string) => join(folder, name);
const data = { manifest_filepath: file('empty.json'), sample_rate: 8000, batch_size: 2, num_workers: 0 };
const model = tinyModel({ train_ds: data, optim: { name: 'adamw', lr: 0.01 } });
writeFileSync(file('c.yaml'), `${toYaml({ model })}\ntrainer: {max_epochs: 1, enable_progress_bar: false}\n`);
writeFileSync(file('empty.json'), '');
writeFileSync(file('gone.json'), '{"audio_filepath":"gone.wav","duration":1,"text":"ab"}\n');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const manifest = 'model.train_ds.manifest_filepath=';
const circle = ['model.optim.lr=${model.optim.eps}', '+model.optim.eps=${model.optim.lr}'];
it.each<[string, string[], RegExp]>([
  ['empty manifest', [], /empty\.json: the manifest holds no utterances — write/],
  ['no manifest', [`${manifest}${file('none.json')}`], /none\.json: there is no such manifest — check/],
  ['no audio', [`${manifest}${file('gone.json')}`], /gone\.json:1: .*gone\.wav: no such file — run/],
  ['unknown key', ['+model.optim.lrr=1'], /adamw has no key "lrr" — did you mean "lr"/],
  ['wrong type', ['model.optim.lr=fast'], /model\.optim\.lr: expected a number, got the text "fast"/],
  ['unset value', ['model.optim.lr=???'], /a value is required here but it is still \?\?\? — set it/],
  ['circle', circle, /interpolations go in a circle: .* → .* — give one/],
  ['unknown override', ['model.nope=1'], /there is no "nope" in "model" — to add/],
  ['folder in a file', ['+exp_manager.exp_dir=/dev/null/x'], /a file stands .*\(\/dev\/null\) — choose/],
  ['folder in /proc', ['+exp_manager.exp_dir=/proc/none'], /\/proc\/none.* — choose/],
  [
    'trainer that is no section',
    ['trainer=5'],
    /^error: override trainer=5: trainer: expected a mapping of keys to values, got 5$/m,
  ],
  [
    'exp_manager that is no section',
    ['+exp_manager=[1]'],
    /override \+exp_manager=\[1\]: exp_manager: expected a mapping/,
  ],
  ['model that is no section', ['model=5'], /override model=5: model: expected a mapping/],
  ['unknown component', ['model.encoder._target_=Nope'], /there is no encoder named "Nope" — known are/],
])('%s', async (_name, overrides, message) => {
  let printed = '';
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    printed += String(chunk);
    return true;
  });
  const code = await run(['train', file('c.yaml'), ...overrides]);
  write.mockRestore();
  expect(code, printed).toBe(2);
  expect(printed).toMatch(message);
  expect(printed).not.toMatch(/unexpected error|\n\s+at /);
});
