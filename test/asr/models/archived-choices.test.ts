// What an archive of NeMo makes of parts that a config names by `_target_`: the library's as NeMo's sections say them, others
// refused.
import { expect, it } from 'vitest';
import * as parts from '../../../examples/own-speech/parts.js';
import {
  configFromText,
  createDefaultContainer,
  createModel,
  loadConfig,
  type SpeechModel,
} from '../../../src/index.js';

/** model_config.yaml of the example with other sections. */
function archived(changes: Readonly<Record<string, string>>, file = 'model'): Record<string, unknown> {
  const overrides = Object.entries(changes).flatMap(([key, value]) => [
    `~model.${key}`,
    `+model.${key}=${value}`,
  ]);
  const { model } = loadConfig(`examples/own-speech/${file}.yaml`, overrides);
  const container = createDefaultContainer().registerAll(Object.values(parts));
  const made = createModel(model, { container }) as SpeechModel;
  const { yaml } = made.nemoConfig((name) => name);
  return configFromText(yaml) as unknown as Record<string, unknown>;
}

const nemos = {
  tokenizer: '{dir: null, type: bpe, model_path: test/fixtures/text/test_model.model}',
  preprocessor: '{_target_: AudioToMelSpectrogramPreprocessor, features: 3}',
  spec_augment: 'null',
  loss: '{_target_: CTCLoss, reduction: mean_volume}',
  decoding: '{_target_: beam, beam: {beam_size: 3}}',
};

it('writes losses and searches of the library as sections of NeMo, and leaves out data of other sources', () => {
  const config = archived(nemos);
  expect(config).toMatchObject({
    ctc_reduction: 'mean_volume',
    decoding: { strategy: 'beam', beam: { beam_size: 3 } },
    validation_ds: { manifest_filepath: null },
  });
  expect(config).not.toHaveProperty('loss');
  expect(config).not.toHaveProperty('train_ds');
});

it.each([
  ['tokenizer', '{_target_: Letters, letters: abc}', /model\.tokenizer\._target_: NeMo has no Letters/],
  ['loss', '{_target_: DoubtfulCTC}', /model\.loss\._target_: NeMo has no DoubtfulCTC/],
  ['decoding', '{_target_: SurePath}', /model\.decoding\._target_: NeMo has no SurePath/],
  ['spec_augment', '{_target_: Speckles}', /spec_augment\._target_: NeMo has no Speckles/],
] as const)('refuses %s of the user', (key, section, message) => {
  expect(() => archived({ ...nemos, [key]: section })).toThrow(message);
});
