// The front end of streams.
import {
  type FrontEnd,
  isMfcc,
  nemoFrontEndConfig,
  type ResolvedMel,
  type ResolvedMfcc,
  SampleQueue,
} from '../../audio/index.js';
import { AnemoneError } from '../../errors/index.js';

/**
 * Features of audio that arrives in pieces: the same numbers that the front end computes of the whole, each frame as
 * soon as the audio under its window is there.
 */
export class FeatureStream {
  private readonly samples = new SampleQueue();
  /** Frames given out. */
  private emitted = 0;
  /** Samples after a frame's position that its window covers. */
  private readonly reach: number;
  /** Frames before the first wanted one that edge effects may touch. */
  private readonly margin: number;

  /** @throws AnemoneError `streaming.normalize` where features depend on the whole utterance */
  constructor(private readonly frontEnd: FrontEnd) {
    const config = requireLocal(frontEnd);
    const { fftSize, hop } = config;
    const exactPad = !isMfcc(config) && config.exact_pad;
    // With exact_pad NeMo's pre-emphasis takes the edge's width off the end of what it is given.
    this.reach = (exactPad ? fftSize : Math.ceil(fftSize / 2)) + 1;
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
    const takenFrames = features.slice((this.emitted - first) * bins, (until - first) * bins);
    this.emitted = until;
    this.samples.forget(Math.max(0, until - this.margin) * hop);
    return takenFrames;
  }
}

/** @throws AnemoneError `streaming.normalize` where a frame depends on more than the audio around it */
function requireLocal(frontEnd: FrontEnd): ResolvedMel | ResolvedMfcc {
  const config = nemoFrontEndConfig(frontEnd);
  if (!config) {
    throw new AnemoneError({
      code: 'streaming.front-end',
      path: 'model.preprocessor',
      message: 'a front end of your own computes features of whole utterances',
      hint: 'recordings can be buffered (chunkSeconds)',
    });
  }
  const fail = (key: string, message: string, trained: string): never => {
    throw new AnemoneError({
      code: 'streaming.normalize',
      path: `model.preprocessor.${key}`,
      message,
      hint: `models for streaming are trained with ${trained}; others can be buffered (chunkSeconds)`,
    });
  };
  if (isMfcc(config)) {
    if (!config.log) fail('log', 'decibels are counted from the loudest of the whole utterance', 'log: true');
    return config;
  }
  const { normalize } = config;
  if (normalize === 'per_feature' || normalize === 'all_features') {
    fail('normalize', `${normalize} takes its statistics from the whole utterance`, 'normalize: "NA"');
  }
  return config;
}
