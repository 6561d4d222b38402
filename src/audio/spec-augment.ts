// SpecAugment and cutout.
import { requireMapping } from '../config/index.js';
import { AnemoneError } from '../errors/index.js';
import type { CounterRandom } from '../random/index.js';
import type { NemoCompat } from './features/index.js';
import { type Portable, plainCopy, type WorkerRecipe } from './portable.js';

/** The keys of NeMo's SpectrogramAugmentation. */
export interface SpecAugmentConfig {
  /** Frequency masks. Default 0. */
  freq_masks: number;
  /** Time masks. Default 0. */
  time_masks: number;
  /** Greatest width of a frequency mask, in bins. Default 10. */
  freq_width: number;
  /** Greatest width of a time mask: frames, or below 1 a share of the utterance. Default 10. */
  time_width: number;
  /** Cutout rectangles, drawn before the masks. Default 0. */
  rect_masks: number;
  /** Greatest extent of a rectangle, in frames. Default 5. */
  rect_time: number;
  /** Greatest extent of a rectangle, in bins. Default 20. */
  rect_freq: number;
  /** What masks are filled with. Default 0. */
  mask_value: number;
  /** False selects the loop of 1.x. Default: true for `2.5`, false for `1.x`. */
  use_vectorized_spec_augment?: boolean | undefined;
  /** Default `2.5`. */
  nemo_compat: NemoCompat;
  /** Keys of NeMo without effect here. */
  use_numba_spec_augment?: boolean;
  rng?: unknown;
}

/** What NeMo's SpectrogramAugmentation takes for keys that a configuration leaves out: no masks at all. */
export const SPEC_AUGMENT_DEFAULTS: Readonly<SpecAugmentConfig> = {
  freq_masks: 0,
  time_masks: 0,
  freq_width: 10,
  time_width: 10,
  rect_masks: 0,
  rect_time: 5,
  rect_freq: 20,
  mask_value: 0,
  nemo_compat: '2.5',
};

/** One utterance inside some array: element (t, f) is at offset + t * frameStride + f * binStride. */
interface FeatureView {
  readonly data: Float32Array;
  readonly offset: number;
  /** Frames in the array, padding included. */
  readonly frames: number;
  /** Frames of the utterance. */
  readonly valid: number;
  readonly bins: number;
  readonly frameStride: number;
  readonly binStride: number;
}

/** Hands out the uniform numbers of one utterance's stream, one after the other. */
class Draws {
  private index = 0;
  constructor(private readonly random: CounterRandom) {}
  /** Uniform in [0, 1). */
  next(): number {
    return this.random.uniform(this.index++);
  }
  /** Uniform integer in [0, max], inclusive. */
  upTo(max: number): number {
    return Math.floor(this.next() * (Math.max(0, max) + 1));
  }
}

/** Changes features in training, after the front end: `model.spec_augment._target_` names it. */
export interface FeatureAugmentation extends Portable {
  /**
   * Changes the features of one utterance.
   * @param features of one utterance, [frames, bins], row-major, changed in place
   * @param random the utterance's own stream of this epoch
   */
  apply(features: Float32Array, frames: number, random: CounterRandom): void;
}

/** An augmentation that a worker makes. */
export function spectrogramAugmentation(config: Partial<SpecAugmentConfig>): SpectrogramAugmentation {
  return new SpectrogramAugmentation(config);
}

/**
 * SpecAugment and cutout on host feature arrays, in place: blanks out random stretches of time, bands of frequency
 * and rectangles. Applied in training only, after the front end. Sources: Park et al. 2019 (arXiv:1904.08779);
 * NeMo's SpectrogramAugmentation, whose two generations draw differently.
 */
export class SpectrogramAugmentation implements FeatureAugmentation {
  readonly config: Readonly<SpecAugmentConfig>;

  /** @throws AnemoneError `audio.spec-augment-config` */
  constructor(config: Partial<SpecAugmentConfig> = {}) {
    const givenKeys = Object.fromEntries(
      Object.entries(requireMapping(config, 'spec_augment')).filter(([, value]) => value !== undefined),
    );
    this.config = { ...SPEC_AUGMENT_DEFAULTS, ...givenKeys };
    const c = this.config;
    for (const key of [
      'freq_masks',
      'time_masks',
      'freq_width',
      'rect_masks',
      'rect_time',
      'rect_freq',
    ] as const) {
      if (!Number.isInteger(c[key]) || c[key] < 0)
        fail(key, `must be a whole number of at least 0, is ${c[key]}`);
    }
    if (!(c.time_width >= 0)) fail('time_width', `must be at least 0, is ${c.time_width}`);
    if (c.time_width > 1 && !Number.isInteger(c.time_width)) {
      fail(
        'time_width',
        `is a share of the utterance below 1 or a whole number of frames, is ${c.time_width}`,
      );
    }
  }

  toWorker(): WorkerRecipe {
    return { module: import.meta.url, make: 'spectrogramAugmentation', from: plainCopy(this.config) };
  }

  /**
   * Masks one utterance.
   * @param features [frames, bins], row-major, changed in place
   * @param random the utterance's own stream of this epoch
   */
  apply(features: Float32Array, frames: number, random: CounterRandom): void {
    if (frames === 0) return;
    const bins = features.length / frames;
    this.mask(
      { data: features, offset: 0, frames, valid: frames, bins, frameStride: bins, binStride: 1 },
      random,
    );
  }

  /**
   * Masks a padded batch.
   * @param features [items, bins, frames], changed in place
   * @param lengths valid frames of each item
   */
  applyBatch(
    features: Float32Array,
    shape: readonly [items: number, bins: number, frames: number],
    lengths: ArrayLike<number>,
    random: CounterRandom,
  ): void {
    const [items, bins, frames] = shape;
    for (let b = 0; b < items; b++) {
      const offset = b * bins * frames;
      this.mask(
        { data: features, offset, frames, valid: lengths[b], bins, frameStride: 1, binStride: frames },
        random.derive(b),
      );
    }
  }

  private mask(view: FeatureView, random: CounterRandom): void {
    const { rect_masks, nemo_compat, use_vectorized_spec_augment } = this.config;
    if (rect_masks > 0) this.cutout(view, new Draws(random.derive('cutout')));
    const draws = new Draws(random.derive('spec-augment'));
    if (use_vectorized_spec_augment ?? nemo_compat !== '1.x') this.vectorized(view, draws);
    else this.loop(view, draws);
  }

  /** 2.x: time first; widths below the maximum; a mask lies inside the utterance where it fits. */
  private vectorized(view: FeatureView, draws: Draws): void {
    const { time_masks, freq_masks, time_width, freq_width } = this.config;
    const widest = this.isShare ? Math.min(view.frames, time_width * view.valid) : time_width;
    for (let i = 0; i < time_masks; i++) {
      const width = Math.trunc(draws.next() * widest);
      const start = Math.max(0, Math.trunc(draws.next() * (view.valid - width)));
      this.fill(view, start, start + width, 0, view.bins);
    }
    for (let i = 0; i < freq_masks; i++) {
      const width = Math.trunc(draws.next() * freq_width);
      const start = Math.max(0, Math.trunc(draws.next() * (view.bins - width)));
      this.fill(view, 0, view.frames, start, start + width);
    }
  }

  /** 1.x: frequency first; bounds inclusive; room for the widest mask is kept before the start is drawn. */
  private loop(view: FeatureView, draws: Draws): void {
    const { time_masks, freq_masks, time_width, freq_width } = this.config;
    for (let i = 0; i < freq_masks; i++) {
      const start = draws.upTo(view.bins - freq_width);
      const width = draws.upTo(freq_width);
      this.fill(view, 0, view.frames, start, start + width);
    }
    const widest = this.isShare ? Math.max(1, Math.trunc(view.valid * time_width)) : time_width;
    for (let i = 0; i < time_masks; i++) {
      const start = draws.upTo(Math.max(1, view.valid - widest));
      const width = draws.upTo(widest);
      this.fill(view, start, start + width, 0, view.bins);
    }
  }

  private cutout(view: FeatureView, draws: Draws): void {
    const { rect_masks, rect_time, rect_freq } = this.config;
    for (let i = 0; i < rect_masks; i++) {
      const f = draws.upTo(view.bins - rect_freq);
      const t = draws.upTo(view.frames - rect_time);
      const width = draws.upTo(rect_freq);
      const length = draws.upTo(rect_time);
      this.fill(view, t, t + length, f, f + width);
    }
  }

  /** A width of 1 is one frame: YAML's `1` and `1.0` are the same number here. */
  private get isShare(): boolean {
    return this.config.time_width < 1 && this.config.time_width > 0;
  }

  private fill(view: FeatureView, t0: number, t1: number, f0: number, f1: number): void {
    const { data, offset, frameStride, binStride } = view;
    const { mask_value } = this.config;
    const lastFrame = Math.min(t1, view.frames);
    const lastBin = Math.min(f1, view.bins);
    for (let t = t0; t < lastFrame; t++) {
      const row = offset + t * frameStride;
      for (let f = f0; f < lastBin; f++) data[row + f * binStride] = mask_value;
    }
  }
}

function fail(path: string, message: string): never {
  throw new AnemoneError({ code: 'audio.spec-augment-config', path, message });
}
