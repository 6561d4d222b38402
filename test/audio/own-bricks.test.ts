// Front ends and augmentations of the user: in worker threads where they say how they are made there, else in the main one.
import { afterAll, expect, it } from 'vitest';
import { clipping } from '../../examples/own-speech/augmentation.js';
import { PitchBands } from '../../examples/own-speech/front-end.js';
import { waveformAugmentationKind } from '../../src/audio/index.js';
import { type ConfigNode, configFromText } from '../../src/config/index.js';
import { Container } from '../../src/container/index.js';
import { dataSection, openSpeechSource } from '../../src/data/index.js';
import { makeCorpus, RATE } from '../data/speech/corpus.js';

const corpus = makeCorpus(6);
afterAll(() => corpus.remove());
const frontEnd = new PitchBands({ sample_rate: RATE, hop: 80, hertz: [300, 500] });

async function featuresOf(yaml: string) {
  const log: string[] = [];
  const container = new Container().registerAll([clipping]);
  const source = await openSpeechSource({
    name: 'train_ds',
    section: dataSection.parse(
      configFromText(`manifest_filepath: ${corpus.manifest}\nbatch_size: 3\n${yaml}`),
    ),
    training: true,
    seed: 1,
    frontEnd,
    augmentations: (section) =>
      container.instantiate(section as ConfigNode, waveformAugmentationKind, { skip: ['prob'] }),
    tokenize: () => [1],
    log: (line) => log.push(line),
  });
  const batches: number[][] = [];
  for await (const { inputs } of source?.epoch(0) ?? []) batches.push(Array.from(inputs['features'].data));
  await source?.close();
  return { batches, log: log.join('\n') };
}

it('gives the same features in worker threads as in the main one', async () => {
  const threads = await featuresOf('num_workers: 1');
  expect(threads.batches).toEqual((await featuresOf('num_workers: 0')).batches);
  expect(threads.batches.length).toBe(2);
  expect(threads.log).not.toMatch(/main thread/);
});

it('works in the main thread, and says so, where an augmentation cannot travel', async () => {
  const clip = (share: number) =>
    `num_workers: 1\naugmentor: {mine: {_target_: Clipping, share: ${share}, prob: 1}}`;
  const { batches, log } = await featuresOf(clip(0.1));
  expect(log).toMatch(/features are computed in the main thread: Clipping cannot be made in a worker/);
  expect(batches).not.toEqual((await featuresOf(clip(1))).batches);
  expect((await featuresOf(clip(1))).batches).toEqual((await featuresOf('num_workers: 0')).batches);
});

it('knows the augmentations of the library by _target_ too, and travels with them', async () => {
  const { log } = await featuresOf('num_workers: 1\naugmentor: {louder: {_target_: gain, prob: 1}}');
  expect(log).not.toMatch(/main thread/);
});

it('has the keys of an augmentation checked', async () => {
  await expect(
    featuresOf('num_workers: 0\naugmentor: {mine: {_target_: Clipping, shar: 1, prob: 1}}'),
  ).rejects.toThrow(/Clipping has no key "shar"/);
});
