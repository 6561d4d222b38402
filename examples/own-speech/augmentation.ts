// Augmentations of your own: of the waveform (`augmentor: {mine: {_target_: Clipping, prob: 0.5}}`) and of the features
// (`spec_augment: {_target_: Speckles, …}`). Both work in the main thread, for they do not say how a worker makes them.

import { specAugmentKind } from '../../src/asr/index.js';
import {
  type FeatureAugmentation,
  type WaveformAugmentation,
  waveformAugmentationKind,
} from '../../src/audio/index.js';
import { defineSchema } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';
import type { CounterRandom } from '../../src/random/index.js';

/** Cuts off what is louder than a share of the peak. */
class Clipping implements WaveformAugmentation {
  constructor(private readonly share: number) {}

  apply(samples: Float32Array): Float32Array {
    const limit = this.share * samples.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0);
    return samples.map((x) => Math.max(-limit, Math.min(limit, x)));
  }
}

export const clipping = component({
  kind: waveformAugmentationKind,
  name: 'Clipping',
  schema: defineSchema('Clipping', {
    share: { doc: 'Of the peak, which is kept.', format: 'number', above: 0, max: 1, default: 0.5 },
  }),
  create: ({ share }) => new Clipping(share),
});

/** Sets single features to zero. */
class Speckles implements FeatureAugmentation {
  constructor(private readonly share: number) {}

  apply(features: Float32Array, _frames: number, random: CounterRandom): void {
    for (let i = 0; i < features.length; i++) if (random.uniform(i) < this.share) features[i] = 0;
  }
}

export const speckles = component({
  kind: specAugmentKind,
  name: 'Speckles',
  schema: defineSchema('Speckles', {
    share: { doc: 'Of the features.', format: 'number', min: 0, max: 1, default: 0.02 },
  }),
  create: ({ share }) => new Speckles(share),
});
