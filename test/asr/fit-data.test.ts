// Data sections of a speech model: what they name is opened before the first step, and told by the line that names it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncDecCTCModel, restoreModel, type SpeechModel } from '../../src/asr/index.js';
import { configFromText, toYaml } from '../../src/config/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { Trainer } from '../../src/training/index.js';
import { RecordingView } from '../training/helpers.js';
import { tinyModel, toneSpeech } from './support.js';

let folder = '';
const file = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anemone-data-'));
  const samples = toneSpeech('ab', 1);
  writeFileSync(file('0.wav'), encodeWav([samples], { sampleRate: 8000 }));
  const line = JSON.stringify({ audio_filepath: '0.wav', duration: samples.length / 8000, text: 'ab' });
  writeFileSync(file('good.json'), `${line}\n`);
  writeFileSync(file('empty.json'), '\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function model(sections: Readonly<Record<string, string>>): {
  yaml: string;
  config: ReturnType<typeof configFromText>;
} {
  const decoder = { _target_: 'ConvASRDecoder' };
  const network = toYaml({
    model: tinyModel({ decoder, joint: undefined, optim: { name: 'adamw', lr: 0.01 } }),
  });
  const data = Object.entries(sections).map(
    ([key, manifest]) => `  ${key}: {batch_size: 1, num_workers: 0, manifest_filepath: ${file(manifest)}}`,
  );
  const yaml = [network.trimEnd(), ...data].join('\n');
  return { yaml, config: configFromText(yaml, [], { file: 'c.yaml' }) };
}

const quick = {
  max_epochs: 1,
  handle_signals: false,
  num_sanity_val_steps: 0,
  engine: { name: 'reference' },
};

describe('a section whose manifest cannot be used', () => {
  it.each([
    ['train_ds', 'none.json', 'there is no such manifest'],
    ['validation_ds', 'none.json', 'there is no such manifest'],
    ['test_ds', 'none.json', 'there is no such manifest'],
    ['test_ds', 'empty.json', 'the manifest holds no utterances'],
  ])('%s with %s is told by its line before the first step', async (section, manifest, reason) => {
    const sections = { train_ds: 'good.json', validation_ds: 'good.json', [section]: manifest };
    const { yaml, config } = model(sections);
    const view = new RecordingView();
    const trainer = new Trainer(quick, { view });
    const error = await trainer.fit(EncDecCTCModel.fromConfig(config.model, trainer)).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    const line = yaml.split('\n').findIndex((text) => text.includes(`${section}:`)) + 1;
    expect(error?.message).toMatch(
      new RegExp(`^c\\.yaml:${line}:\\d+: model\\.${section}\\.manifest_filepath: `),
    );
    expect(error?.message).toContain(`${manifest}: ${reason}`);
    expect(error).toMatchObject({ exitCode: 2 });
    await trainer.dispose();
  });
});

describe('the test set of an archive', () => {
  it('is opened by a fit only where the user names it', async () => {
    const trainer = new Trainer(quick, { view: new RecordingView() });
    const { config } = model({ test_ds: 'none.json' });
    const saved = EncDecCTCModel.fromConfig(config.model, trainer);
    await saved.saveTo(file('a.nemo'));
    const train = `model.train_ds={batch_size: 1, num_workers: 0, manifest_filepath: ${file('good.json')}}`;
    const restored = (overrides: readonly string[]): Promise<SpeechModel> =>
      restoreModel(file('a.nemo'), trainer, { overrides: [`+${train}`, ...overrides] });
    expect((await trainer.fit(await restored([]))).testSets).toEqual([]);
    const named = await restored([`model.test_ds.manifest_filepath=${file('lost.json')}`]);
    await expect(trainer.fit(named)).rejects.toThrow(/lost\.json: there is no such manifest/);
    await trainer.dispose();
  }, 60_000);
});
