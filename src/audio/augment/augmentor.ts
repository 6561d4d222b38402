// The configured chain of waveform augmentations: `augmentor: {name: {prob: 0.5, ...}}`, applied in the
// order of the configuration, each with its probability.
import { requireMapping } from '../../config/index.js';
import { AnemoneError, AnemoneErrors, didYouMean } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';
import type {
  AugmentationContext,
  AugmentationFactory,
  AugmentationRegistry,
  WaveformAugmentation,
} from './augmentation.js';
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

export interface AugmentorStep {
  readonly name: string;
  /** Probability in [0, 1]. */
  readonly prob: number;
  readonly augmentation: WaveformAugmentation;
}

export interface AugmentorOptions {
  /** Default `BUILTIN_AUGMENTATIONS`. */
  readonly registry?: AugmentationRegistry;
  /** Where the options stand in the configuration, for errors. Default `augmentor`. */
  readonly path?: string;
}

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
   * @throws AnemoneError(s) `audio.augmentor` (unknown name or option, wrong type, no `prob`), `manifest.*`
   */
  static fromConfig(
    config: Readonly<Record<string, unknown>> | null | undefined,
    options: AugmentorOptions = {},
  ): Augmentor {
    const base = options.path ?? 'augmentor';
    const { steps, warnings, errors } = readSteps(requireMapping(config ?? {}, base), {
      ...options,
      path: base,
    });
    if (errors.length > 0) throw errors.length === 1 ? errors[0] : severalErrors(base, errors);
    for (const { augmentation } of steps) augmentation.open?.();
    return new Augmentor(steps, warnings);
  }

  /**
   * Applies the chain.
   * @param random the stream of this utterance in this epoch
   */
  async apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Promise<Float32Array> {
    let current = samples;
    for (const { augmentation, stream } of this.drawn(random)) {
      current = await augmentation.apply(current, sampleRate, stream);
    }
    return current;
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

/** What a configuration says, and all that is wrong with it. */
export interface AugmentorReading {
  readonly steps: readonly AugmentorStep[];
  readonly warnings: readonly string[];
  readonly errors: readonly AnemoneError[];
}

/** The steps of a configuration, which are made and nothing else: no file is opened. */
export function readSteps(
  config: Readonly<Record<string, unknown>>,
  options: AugmentorOptions,
): AugmentorReading {
  const { registry = BUILTIN_AUGMENTATIONS, path: base = 'augmentor' } = options;
  const steps: AugmentorStep[] = [];
  const warnings: string[] = [];
  const errors: AnemoneError[] = [];
  for (const [name, value] of Object.entries(config)) {
    const path = `${base}.${name}`;
    const factory = registry.get(name);
    const instead = NOT_HERE.get(name);
    if (!factory && instead) {
      warnings.push(`${path} has no effect: ${instead}`);
      continue;
    }
    try {
      steps.push(
        readStep(name, factory, value, { path, warn: (message) => warnings.push(message) }, registry),
      );
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      errors.push(error);
    }
  }
  return { steps, warnings, errors };
}

function readStep(
  name: string,
  factory: AugmentationFactory | undefined,
  value: unknown,
  context: AugmentationContext,
  registry: AugmentationRegistry,
): AugmentorStep {
  const { path } = context;
  if (!factory) throw fail(path, 'unknown augmentation', didYouMean(name, registry.keys()));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fail(path, 'expected a map of options');
  }
  const { prob, ...rest } = value as Record<string, unknown>;
  if (typeof prob !== 'number' || !(prob >= 0 && prob <= 1)) {
    throw fail(`${path}.prob`, 'expected a probability between 0 and 1');
  }
  return { name, prob, augmentation: factory(rest, context) };
}

function severalErrors(path: string, errors: readonly AnemoneError[]): AnemoneErrors {
  return new AnemoneErrors('audio.augmentor', `${errors.length} errors in ${path}:`, errors);
}

function fail(path: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'audio.augmentor', path, message, hint });
}
