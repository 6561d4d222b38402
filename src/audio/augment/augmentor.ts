// Reads an `augmentor` section and applies the chain it describes.
import { isMapping, requireMapping } from '../../config/index.js';
import { AnemoneError, AnemoneErrors, didYouMean } from '../../errors/index.js';
import type { CounterRandom } from '../../random/index.js';
import { madeOf, plainCopy, recipeOf, type WorkerRecipe } from '../portable.js';
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

/** Makes an augmentation of the user's, which a section names by `_target_`, from its keys but `prob`. */
export type AugmentationMaker = (section: Readonly<Record<string, unknown>>) => WaveformAugmentation;

/** A name that this library knows, with its options: plain data. */
interface NamedAugmentation {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** One augmentation of a chain, under the name that the configuration gave. */
export interface AugmentorStep {
  readonly name: string;
  /** Probability in [0, 1]. */
  readonly prob: number;
  readonly augmentation: WaveformAugmentation;
  /** What it was made of, where that is a name of this library. */
  readonly named?: NamedAugmentation;
}

/** A chain as it travels to a worker thread. */
export type AugmentorRecipe = readonly (Pick<AugmentorStep, 'name' | 'prob'> & {
  readonly how: NamedAugmentation | WorkerRecipe;
})[];

/** How an `augmentor` section is read. */
export interface AugmentorOptions {
  /** Default `BUILTIN_AUGMENTATIONS`. */
  readonly registry?: AugmentationRegistry;
  /** Makes those of the user. Default: there are none. */
  readonly make?: AugmentationMaker | undefined;
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
   * Reads the configuration. `_target_` names an augmentation where the key is a name of the user's own.
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

  /** How a worker thread makes the chain; undefined where a step cannot be made there. */
  toWorker(): AugmentorRecipe | undefined {
    const steps = this.steps.flatMap(({ name, prob, named, augmentation }) => {
      const how = named ?? recipeOf(augmentation);
      return how ? [{ name, prob, how }] : [];
    });
    return steps.length === this.steps.length ? steps : undefined;
  }

  /** The steps that no worker thread can make. */
  get staying(): readonly WaveformAugmentation[] {
    const isBound = ({ named, augmentation }: AugmentorStep) => !named && !recipeOf(augmentation);
    return this.steps.filter(isBound).map(({ augmentation }) => augmentation);
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
  const { registry = BUILTIN_AUGMENTATIONS, path: base = 'augmentor', make } = options;
  const steps: AugmentorStep[] = [];
  const warnings: string[] = [];
  const errors: AnemoneError[] = [];
  for (const [name, value] of Object.entries(config)) {
    const path = `${base}.${name}`;
    const target = isMapping(value) && typeof value['_target_'] === 'string' ? value['_target_'] : undefined;
    const kind = target ?? name;
    const factory = registry.get(kind);
    const instead = NOT_HERE.get(kind);
    if (!factory && instead) {
      warnings.push(`${path} has no effect: ${instead}`);
      continue;
    }
    try {
      if (!factory && !(target !== undefined && make)) {
        throw fail(path, 'unknown augmentation', didYouMean(kind, registry.keys()));
      }
      const context = { path, warn: (message: string) => warnings.push(message) };
      steps.push(readStep({ name, kind, factory, make }, value, context));
    } catch (error) {
      if (!(error instanceof AnemoneError)) throw error;
      errors.push(error);
    }
  }
  return { steps, warnings, errors };
}

/** How a step is made: by a factory of this library, or by a component of the user's own. */
interface StepKind {
  readonly name: string;
  readonly kind: string;
  readonly factory: AugmentationFactory | undefined;
  readonly make: AugmentationMaker | undefined;
}

function readStep(
  { name, kind, factory, make }: StepKind,
  value: unknown,
  context: AugmentationContext,
): AugmentorStep {
  const { path } = context;
  if (!isMapping(value)) throw fail(path, 'expected a map of options');
  const { prob, _target_: _, ...rest } = value;
  if (typeof prob !== 'number' || !(prob >= 0 && prob <= 1)) {
    throw fail(`${path}.prob`, 'expected a probability between 0 and 1');
  }
  if (!factory) return { name, prob, augmentation: (make as AugmentationMaker)(value) };
  const namedAugmentation = { kind, options: plainCopy(rest) };
  return { name, prob, named: namedAugmentation, augmentation: factory(rest, context) };
}

function severalErrors(path: string, errors: readonly AnemoneError[]): AnemoneErrors {
  return new AnemoneErrors('audio.augmentor', `${errors.length} errors in ${path}:`, errors);
}

/** The chain of a recipe. */
export async function augmentorOf(recipe: AugmentorRecipe): Promise<Augmentor> {
  const steps = recipe.map(async ({ name, prob, how }): Promise<AugmentorStep> => {
    if ('module' in how) return { name, prob, augmentation: await madeOf<WaveformAugmentation>(how) };
    const section = { ...how.options, prob, _target_: how.kind };
    const [step] = Augmentor.fromConfig({ [name]: section }).steps;
    return step as AugmentorStep;
  });
  return new Augmentor(await Promise.all(steps));
}

function fail(path: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'audio.augmentor', path, message, hint });
}
