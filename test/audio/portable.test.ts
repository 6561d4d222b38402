// What worker threads make by a recipe: in the compiled library the modules of src/audio are one file, so that it must be found there.
import { expect, it } from 'vitest';
import * as audio from '../../src/audio/index.js';
import { madeOf, type Portable, recipeOf } from '../../src/audio/portable.js';

const bricks: readonly (readonly [string, Portable])[] = [
  ['mel', audio.createFrontEnd({ features: 40, sample_rate: 8000 })],
  ['MFCC', new audio.MfccFrontEnd({ n_mfcc: 13, sample_rate: 8000 })],
  ['SpecAugment', new audio.SpectrogramAugmentation({ freq_masks: 1, time_masks: 1 })],
];

it.each(bricks)('what makes a copy of the %s brick is exported by src/audio', async (_, brick) => {
  const recipe = recipeOf(brick);
  if (!recipe) throw new Error('it has no recipe');
  const exported = (audio as Record<string, unknown>)[recipe.make];
  expect(exported).toBe(((await import(recipe.module)) as Record<string, unknown>)[recipe.make]);
  expect(await madeOf(recipe)).toEqual(brick);
});
