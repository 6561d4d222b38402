// Reads an `augmentor` section and applies the chain it describes.
import { requireMapping } from '../../config/index.js';
import { AnemoneError, didYouMean } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';
import type { AugmentationFactory, AugmentationRegistry, WaveformAugmentation } from './augmentation.js';
import { gain, shift, silence, whiteNoise } from './level.js';
import { impulse, noise } from './recordings.js';
import { simulatedRoom } from './room.js';
import { pitch, speed, timeStretching } from './tempo.js';

/**
 * The names known without further ado. To add one's own, pass a larger map:
 * `new Map([...BUILTIN_AUGMENTATIONS, ['codec', (options, context) => new Codec(options)]])`.
 */
export const BUILTIN_AUGMENTATIONS: AugmentationRegistry = new Map<string, AugmentationFactory>([
  ['speed', speed],
  ['time_stretch', timeStretching],
  ['pitch', pitch],
  ['gain', gain],
  ['white_noise', whiteNoise],
  ['shift', shift],
  ['silence', silence],
  ['noise', noise],
  ['impulse', impulse],
  ['rir', impulse],
  ['simulated_room', simulatedRoom],
]);

/** Augmentations of NeMo's without a counterpart, and what does the like. */
const NOT_HERE: ReadonlyMap<string, string> = new Map([
  ['rir_noise_aug', 'use impulse for rooms and noise for noises, each with its own prob'],
  ['noise_norm', 'use noise'],
  ['transcode_aug', 'there are no codecs'],
  ['random_segment', 'utterances are used whole'],
]);

/** One augmentation of a chain, under the name that the configuration gave. */
export interface AugmentorStep {
  readonly name: string;
  /** Probability in [0, 1]. */
  readonly prob: number;
  readonly augmentation: WaveformAugmentation;
}

/** How an `augmentor` section is read. */
export interface AugmentorOptions {
  /** Default `BUILTIN_AUGMENTATIONS`. */
  readonly registry?: AugmentationRegistry;
  /** Where the options stand in the configuration, for errors. Default `augmentor`. */
  readonly path?: string;
}

/**
 * The configured chain of waveform augmentations: `augmentor: {name: {prob: 0.5, ...}}`, applied in the order of the
 * configuration, each with its probability. NeMo's AudioAugmentor.
 */
export class Augmentor {
  /** What was odd in the configuration but did no harm. */
  readonly warnings: readonly string[];

  constructor(
    readonly steps: readonly AugmentorStep[],
    warnings: readonly string[] = [],
  ) {
    this.warnings = warnings;
  }

  /**
   * Reads the configuration.
   * @throws AnemoneError `audio.augmentor` (unknown name or option, wrong type, no `prob`)
   */
  static fromConfig(
    config: Readonly<Record<string, unknown>> | null | undefined,
    options: AugmentorOptions = {},
  ): Augmentor {
    const registry = options.registry ?? BUILTIN_AUGMENTATIONS;
    const base = options.path ?? 'augmentor';
    const warnings: string[] = [];
    const steps = Object.entries(requireMapping(config ?? {}, base)).flatMap(
      ([name, value]): AugmentorStep[] => {
        const path = `${base}.${name}`;
        const factory = registry.get(name);
        const instead = NOT_HERE.get(name);
        if (!factory && instead) {
          warnings.push(`${path} has no effect: ${instead}`);
          return [];
        }
        if (!factory) throw fail(path, 'unknown augmentation', didYouMean(name, registry.keys()));
        if (typeof value !== 'object' || value === null || Array.isArray(value)) {
          throw fail(path, 'expected a map of options');
        }
        const { prob, ...rest } = value as Record<string, unknown>;
        if (typeof prob !== 'number' || !(prob >= 0 && prob <= 1)) {
          throw fail(`${path}.prob`, 'expected a probability between 0 and 1');
        }
        const warn = (message: string) => warnings.push(message);
        return [{ name, prob, augmentation: factory(rest, { path, warn }) }];
      },
    );
    return new Augmentor(steps, warnings);
  }

  /**
   * Applies the chain.
   * @param random the stream of this utterance in this epoch
   */
  async apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Promise<Float32Array> {
    let waveform = samples;
    for (const { augmentation, stream } of this.drawn(random)) {
      waveform = await augmentation.apply(waveform, sampleRate, stream);
    }
    return waveform;
  }

  /** The factor by which `apply` with the same stream will change the length. */
  stretch(random: CounterRandom): number {
    let factor = 1;
    for (const { augmentation, stream } of this.drawn(random)) factor *= augmentation.stretch?.(stream) ?? 1;
    return factor;
  }

  /** The steps that this stream's probabilities select, each with its own stream. */
  private *drawn(
    random: CounterRandom,
  ): Generator<{ augmentation: WaveformAugmentation; stream: CounterRandom }> {
    for (const [i, { name, prob, augmentation }] of this.steps.entries()) {
      const stream = random.derive('augment', i, name);
      if (stream.uniform(0) < prob) yield { augmentation, stream: stream.derive('apply') };
    }
  }
}

function fail(path: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'audio.augmentor', path, message, hint });
}
