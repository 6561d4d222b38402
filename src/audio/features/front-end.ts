// The interface of front ends, and the types of what they give.
import type { CounterRandom } from '../../random/index.js';
import type { Portable, WorkerRecipe } from '../portable.js';

/** How the features of one utterance are computed. */
export interface ComputeOptions {
  /** Turns on dither and narrow-band augmentation. Default false. */
  readonly training?: boolean | undefined;
  /** The utterance's random stream; needed in training when dither or augmentation is on. */
  readonly random?: CounterRandom | undefined;
  /** How many samples of `audio` are real; the rest counts as batch padding. Default: all. */
  readonly validSamples?: number;
  /** Length of the longest item of the batch, in samples: what lies between is zeros. Default: none. */
  readonly paddedSamples?: number;
}

/** Features of one utterance. */
export interface Features {
  /** [frames, width], row-major: one frame after the other. */
  readonly features: Float32Array;
  /** Valid frames. */
  readonly frames: number;
  /** Frames of a batch of NeMo's whose longest utterance this is, before its padding to a multiple: at least `frames`. */
  readonly columns: number;
}

/** Features of several utterances, padded to one length. */
export interface FeatureBatch {
  /** [items, features, frames], as NeMo's. */
  readonly features: Float32Array;
  /** Valid frames of each item. */
  readonly lengths: Int32Array;
  readonly shape: readonly [items: number, features: number, frames: number];
}

/** What the rest of the library asks of a front end's settings. */
export interface FrameLayout {
  /** Hz. */
  readonly sample_rate: number;
  /** Samples between two frames. */
  readonly hop: number;
  /** Features of a frame. */
  readonly width: number;
  /** Fills frames beyond an utterance's own. */
  readonly pad_value: number;
}

/** A front end: `model.preprocessor._target_` names it. One of your own says its layout and computes its features. */
export abstract class FrontEnd implements Portable {
  abstract readonly config: FrameLayout;

  /** Valid frames of an utterance of `samples` samples. */
  abstract frameCount(samples: number): number;

  /** Features of one utterance, without padding frames. @throws AnemoneError `audio.too-short` */
  abstract compute(audio: Float32Array, options?: ComputeOptions): Features;

  /** Frames of a batch after the front end's padding to a multiple. Default: there is none. */
  padFrames(frames: number): number {
    return frames;
  }

  /** The same without that padding, for transcribing. */
  withoutPadding(): FrontEnd {
    return this;
  }

  /** How a worker thread makes a copy. Default: it cannot, and features are computed in the main thread. */
  toWorker?(): WorkerRecipe;

  /** Items padded to the longest. @param lengths valid samples of each item; default the items' own lengths */
  computeBatch(
    audios: readonly Float32Array[],
    lengths: ArrayLike<number> = audios.map((audio) => audio.length),
    options: { training?: boolean; random?: CounterRandom } = {},
  ): FeatureBatch {
    const { training, random } = options;
    const items = audios.map((audio, i) =>
      this.compute(audio.subarray(0, lengths[i]), { training, random: random?.derive(i) }),
    );
    const longest = items.reduce((most, { columns }) => Math.max(most, columns), 0);
    return paddedBatch(items, this.padFrames(longest), this.config);
  }
}

/** Items side by side as [items, width, frames], what lies beyond an item's own frames filled with `pad_value`. */
export function paddedBatch(
  items: readonly Features[],
  frames: number,
  { width, pad_value }: { readonly width: number; readonly pad_value: number },
): FeatureBatch {
  const batch = new Float32Array(items.length * width * frames).fill(pad_value);
  items.forEach((item, b) => {
    for (let f = 0; f < width; f++) {
      const row = (b * width + f) * frames;
      for (let t = 0; t < item.frames; t++) batch[row + t] = item.features[t * width + f];
    }
  });
  return {
    features: batch,
    lengths: Int32Array.from(items, (item) => item.frames),
    shape: [items.length, width, frames],
  };
}
