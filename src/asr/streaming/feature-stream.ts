// Features of audio that arrives in pieces: the same numbers that the front end computes of the whole, each frame as
// soon as the audio under its window is there.
import { type MelFrontEnd, SampleQueue } from '../../audio/index.js';
import { AnemoneError } from '../../errors/index.js';

export class FeatureStream {
  private readonly samples = new SampleQueue();
  /** Frames given out. */
  private emitted = 0;
  /** Samples after a frame's position that its window covers. */
  private readonly reach: number;
  /** Frames before the first wanted one that edge effects may touch. */
  private readonly margin: number;

  /** @throws AnemoneError `streaming.normalize` where features depend on the whole utterance */
  constructor(private readonly frontEnd: MelFrontEnd) {
    const { normalize, fftSize, hop, exact_pad: exact } = frontEnd.config;
    if (normalize === 'per_feature' || normalize === 'all_features') {
      throw new AnemoneError({
        code: 'streaming.normalize',
        path: 'model.preprocessor.normalize',
        message: `${normalize} takes its statistics from the whole utterance`,
        hint: 'models for streaming are trained with normalize: "NA"; others can be buffered (chunkSeconds)',
      });
    }
    // With exact_pad NeMo's pre-emphasis takes the edge's width off the end of what it is given.
    this.reach = (exact ? fftSize : Math.ceil(fftSize / 2)) + 1;
    this.margin = Math.ceil(fftSize / hop) + 1;
  }

  /** Frames [n,bins] that became certain. */
  push(samples: Float32Array): Float32Array {
    this.samples.push(samples);
    const { hop } = this.frontEnd.config;
    return this.take(Math.floor((this.samples.end - this.reach) / hop) + 1);
  }

  /** The last frames. */
  finish(): Float32Array {
    return this.take(this.frontEnd.frameCount(this.samples.end));
  }

  private take(until: number): Float32Array {
    if (until <= this.emitted) return new Float32Array(0);
    const { hop, width: bins } = this.frontEnd.config;
    const first = Math.max(0, this.emitted - this.margin);
    const { features } = this.frontEnd.compute(this.samples.read(first * hop, this.samples.end));
    const taken = features.slice((this.emitted - first) * bins, (until - first) * bins);
    this.emitted = until;
    this.samples.forget(Math.max(0, until - this.margin) * hop);
    return taken;
  }
}
