// A front end of your own: the loudness of a few pitches in each frame (Goertzel's algorithm), as logarithms.
// `preprocessor: {_target_: PitchBands, …}`.

import { preprocessorKind } from '../../src/asr/index.js';
import { type ComputeOptions, type Features, FrontEnd, type WorkerRecipe } from '../../src/audio/index.js';
import { defineSchema, listOf } from '../../src/config/index.js';
import { component } from '../../src/container/index.js';

interface PitchBandsConfig {
  readonly sample_rate: number;
  readonly hop: number;
  readonly hertz: readonly number[];
}

export class PitchBands extends FrontEnd {
  readonly config;

  constructor(private readonly given: PitchBandsConfig) {
    super();
    const { sample_rate, hop, hertz } = given;
    this.config = { sample_rate, hop, width: hertz.length, pad_value: 0 };
  }

  override frameCount(samples: number): number {
    return Math.floor(samples / this.config.hop);
  }

  override compute(audio: Float32Array, _options?: ComputeOptions): Features {
    const frames = this.frameCount(audio.length);
    const features = new Float32Array(frames * this.config.width);
    for (let t = 0; t < frames; t++) {
      const frame = audio.subarray(t * this.config.hop, (t + 1) * this.config.hop);
      this.given.hertz.forEach((hertz, i) => {
        features[t * this.config.width + i] = Math.log(this.power(frame, hertz) + 1e-6);
      });
    }
    return { features, frames, columns: frames };
  }

  /** Worker threads import this file and call `pitchBands`. Without this method, features are computed in the main thread. */
  override toWorker(): WorkerRecipe {
    return {
      module: import.meta.url,
      make: 'pitchBands',
      from: { ...this.given, hertz: [...this.given.hertz] },
    };
  }

  private power(frame: Float32Array, hertz: number): number {
    const step = 2 * Math.cos((2 * Math.PI * hertz) / this.config.sample_rate);
    let [last, before] = [0, 0];
    for (const sample of frame) [last, before] = [sample + step * last - before, last];
    return (last * last + before * before - step * last * before) / frame.length;
  }
}

export function pitchBands(config: PitchBandsConfig): PitchBands {
  return new PitchBands(config);
}

export const pitchBandsComponent = component({
  kind: preprocessorKind,
  name: 'PitchBands',
  schema: defineSchema('PitchBands', {
    sample_rate: { doc: 'Hz.', format: 'int', min: 1 },
    hop: { doc: 'Samples a frame.', format: 'int', min: 1, default: 160 },
    hertz: { doc: 'Pitches that are listened for.', format: listOf('number', { min: 1 }) },
  }),
  create: pitchBands,
});
