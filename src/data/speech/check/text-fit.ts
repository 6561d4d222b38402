// How much text fits into a recording.
import { createFrontEnd, type FrontEnd, type FrontEndConfig } from '../../../audio/index.js';

/**
 * The losses that need room for a transcript: CTC takes a frame a token and one between equal ones; a transducer
 * takes any number of tokens a frame.
 */
export type LossKind = 'ctc' | 'rnnt';

/** What decides how many frames a recording becomes, and how many a transcript needs. */
export interface FitConfig {
  /** Keys of the preprocessor; default NeMo's at 16 kHz. */
  readonly preprocessor?: FrontEndConfig;
  /** Time reduction of the encoder, a power of two. Default 4. */
  readonly subsampling?: number | undefined;
  /** Default `rnnt`. */
  readonly loss?: LossKind | undefined;
}

/** Whether a transcript can be aligned with what the encoder makes of its recording. */
export class TextFit {
  private readonly frontEnd: FrontEnd;
  readonly loss: LossKind;
  private readonly halvings: number;

  constructor({ preprocessor, subsampling = 4, loss = 'rnnt' }: FitConfig) {
    this.frontEnd = createFrontEnd(preprocessor);
    this.loss = loss;
    this.halvings = Math.ceil(Math.log2(subsampling));
  }

  /** Frames that leave the encoder: each halving is a convolution of kernel 3, stride 2, padding 1. */
  encoderFrames(seconds: number): number {
    let frames = this.frontEnd.frameCount(Math.round(seconds * this.frontEnd.config.sample_rate));
    for (let i = 0; i < this.halvings; i++) frames = Math.ceil(frames / 2);
    return frames;
  }

  /** What does not fit, or undefined. CTC needs a frame a token and one more between equal neighbours. */
  complaint(
    ids: ArrayLike<number>,
    seconds: number,
  ): { kind: 'text-does-not-fit' | 'text-is-long'; message: string } | undefined {
    const frames = this.encoderFrames(seconds);
    let neededFrames = ids.length;
    for (let u = 1; u < ids.length; u++) if (ids[u] === ids[u - 1]) neededFrames++;
    if (this.loss === 'ctc' && neededFrames > frames) {
      const message = `${ids.length} tokens need ${neededFrames} encoder frames, ${seconds} s give ${frames}`;
      return { kind: 'text-does-not-fit', message };
    }
    if (this.loss === 'rnnt' && ids.length > frames) {
      return { kind: 'text-is-long', message: `${ids.length} tokens in ${frames} encoder frames` };
    }
    return undefined;
  }
}
