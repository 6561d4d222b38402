// Reverberation without recordings.
import type { CounterRandom } from '../../random/index.js';
import { addDither } from '../features/index.js';
import {
  type AugmentationFactory,
  OptionReader,
  uniformBetween,
  type WaveformAugmentation,
} from './augmentation.js';
import { reverberate } from './convolve.js';

const SPEED_OF_SOUND = 343;
/** Reflections up to this many walls are placed singly; later ones are the tail. */
const ORDER = 3;

/** Ranges from which each room is drawn uniformly. */
export interface RoomOptions {
  /** Seconds in which sound decays by 60 dB. Default [0.1, 0.6]. */
  readonly rt60: readonly [number, number];
  /** Metres between speaker and microphone. Default [0.3, 3]. */
  readonly distance: readonly [number, number];
}

/**
 * A room drawn at random: early reflections by the image-source method (Allen and Berkley 1979) in a box with a
 * speaker and a microphone somewhere in it, then a diffuse tail of noise that decays exponentially. No files are
 * needed. It is meant to vary the training data, not to predict a given room.
 */
export class SimulatedRoom implements WaveformAugmentation {
  readonly options: RoomOptions;

  constructor(options: Partial<RoomOptions> = {}) {
    this.options = { rt60: options.rt60 ?? [0.1, 0.6], distance: options.distance ?? [0.3, 3] };
  }

  apply(samples: Float32Array, sampleRate: number, random: CounterRandom): Float32Array {
    return reverberate(samples, roomResponse(sampleRate, random, this.options));
  }
}

/** The impulse response of a random room; the direct sound comes first and has height 1. */
export function roomResponse(sampleRate: number, random: CounterRandom, options: RoomOptions): Float32Array {
  const rt60 = uniformBetween(random, 0, options.rt60);
  const room = [
    uniformBetween(random, 1, [3, 9]),
    uniformBetween(random, 2, [2.5, 7]),
    uniformBetween(random, 3, [2.3, 3.5]),
  ];
  const inside = (index: number, size: number) => size * (0.15 + 0.7 * random.uniform(index));
  const microphone = room.map((size, axis) => inside(4 + axis, size));
  const direction = [random.normal(10), random.normal(11), 0.3 * random.normal(12)];
  const norm = Math.hypot(...direction) || 1;
  const distance = uniformBetween(random, 7, options.distance);
  const speaker = room.map((size, axis) => {
    const wish = microphone[axis] + (distance * direction[axis]) / norm;
    return Math.min(size - 0.1, Math.max(0.1, wish));
  });
  const direct = Math.max(0.1, Math.hypot(...speaker.map((s, axis) => s - microphone[axis])));
  const volume = room[0] * room[1] * room[2];
  const surface = 2 * (room[0] * room[1] + room[1] * room[2] + room[0] * room[2]);
  // Eyring: the mean absorption that gives this reverberation time.
  const absorption = 1 - Math.exp((-0.161 * volume) / (surface * rt60));
  const reflection = Math.sqrt(Math.max(0, 1 - absorption));

  const length = Math.max(1, Math.ceil(rt60 * sampleRate));
  const response = new Float32Array(length);
  addImages({ room, speaker, microphone, direct, reflection, sampleRate }, random.derive('walls'), response);
  addTail({ rt60, volume, direct, sampleRate }, random.derive('tail'), response);
  return response;
}

interface ImageScene {
  readonly room: readonly number[];
  readonly speaker: readonly number[];
  readonly microphone: readonly number[];
  readonly direct: number;
  readonly reflection: number;
  readonly sampleRate: number;
}

/** The direct sound and its images, split between neighbouring samples. */
function addImages(scene: ImageScene, random: CounterRandom, response: Float32Array): void {
  const { room, speaker, microphone, direct, reflection, sampleRate } = scene;
  let index = 0;
  // Cell n of an axis holds the speaker's image after |n| reflections on that axis' two walls.
  const image = (axis: number, n: number) =>
    n * room[axis] + (n % 2 === 0 ? speaker[axis] : room[axis] - speaker[axis]) - microphone[axis];
  for (let i = -ORDER; i <= ORDER; i++) {
    for (let j = -ORDER; j <= ORDER; j++) {
      for (let k = -ORDER; k <= ORDER; k++) {
        const bounces = Math.abs(i) + Math.abs(j) + Math.abs(k);
        if (bounces > ORDER) continue;
        const path = Math.hypot(image(0, i), image(1, j), image(2, k));
        // Furniture and walls scatter: each reflection's strength varies.
        const scatter = bounces === 0 ? 1 : 0.5 + random.uniform(index++);
        const delay = Math.max(0, ((path - direct) / SPEED_OF_SOUND) * sampleRate);
        const height = (scatter * reflection ** bounces * direct) / Math.max(path, 0.1);
        const at = Math.floor(delay);
        if (at + 1 >= response.length) continue;
        response[at] += height * (1 - (delay - at));
        response[at + 1] += height * (delay - at);
      }
    }
  }
}

interface TailScene {
  readonly rt60: number;
  readonly volume: number;
  readonly direct: number;
  readonly sampleRate: number;
}

/** Diffuse sound: its energy relative to the direct sound follows from the critical distance. */
function addTail(scene: TailScene, random: CounterRandom, response: Float32Array): void {
  const { rt60, volume, direct, sampleRate } = scene;
  const critical = 0.057 * Math.sqrt(volume / rt60);
  const decay = (3 * Math.LN10) / (rt60 * sampleRate); // amplitude falls by 60 dB in rt60
  const energy = (direct / critical) ** 2;
  // Sum over all samples of (level e^{-decay n})^2 is `energy`.
  const level = Math.sqrt(energy * 2 * decay);
  const onset = Math.max(1, (Math.cbrt(volume) / SPEED_OF_SOUND) * sampleRate * 1.5);
  const noise = new Float32Array(response.length);
  addDither(noise, 0, noise.length, 1, random);
  const fall = Math.exp(-decay);
  let height = level;
  for (let n = 0; n < response.length; n++, height *= fall) {
    response[n] += Math.min(1, n / onset) * height * noise[n];
  }
}

export const simulatedRoom: AugmentationFactory = (options, context) => {
  const reader = new OptionReader(options, context);
  const rt60 = reader.range('min_rt60', 'max_rt60', 0.1, 0.6);
  const distance = reader.range('min_distance', 'max_distance', 0.3, 3);
  reader.finish();
  if (rt60[0] <= 0 || rt60[1] > 5) throw reader.fail('min_rt60', 'seconds between 0 and 5');
  if (distance[0] <= 0) throw reader.fail('min_distance', 'must be positive');
  return new SimulatedRoom({ rt60, distance });
};
