// Rotary positions (Su et al. 2021, RoFormer): pairs of numbers of queries and keys, turned by an angle that grows with the
// position. The pairs are half of the turned part apart, as in GPT-NeoX, Megatron and Hugging Face's models.
import { rotaryEmbedding, type Tensor, tf } from '../../engine/index.js';
import { type Buffer, customGradient, Module } from '../../nn/index.js';

/** How frequencies are stretched for more positions than a model was trained on. */
export type RotaryScaling =
  /** All angles are divided by the factor (Chen et al. 2023, position interpolation). */
  | { readonly kind: 'linear'; readonly factor: number }
  /** Long waves are divided by the factor, short ones kept, those between blended (Llama 3.1). */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  /**
   * YaRN (Peng et al. 2023): waves that turn less than `betaSlow` times in the original positions are divided by the factor,
   * those that turn more than `betaFast` times kept, those between blended by their number; and scores are sharper.
   */
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly originalPositions: number;
      /** Default 32. */
      readonly betaFast?: number | undefined;
      /** Default 1. */
      readonly betaSlow?: number | undefined;
      /** Factor of cosines and sines. Default 0.1 · ln(factor) + 1. */
      readonly attentionFactor?: number | undefined;
    }
  /** Each frequency is divided by a factor of its own (Ding et al. 2024, LongRoPE), R/2 of them. */
  | {
      readonly kind: 'longrope';
      readonly factors: readonly number[];
      /** Factor of cosines and sines. Default 1. */
      readonly attentionFactor?: number | undefined;
    };

/** What the angles are made of. */
export interface RotaryOptions {
  /** Numbers of a head. */
  readonly size: number;
  /** Share of them that is turned, from the first on. Default 1. */
  readonly percentage?: number | undefined;
  /** Default 10000. */
  readonly base?: number | undefined;
  readonly scaling?: RotaryScaling | undefined;
}

/** Angles for a step of one position, R/2 of them. */
export function rotaryFrequencies({ size, percentage = 1, base = 10000, scaling }: RotaryOptions): number[] {
  const turned = Math.floor(size * percentage);
  const frequencies = Array.from({ length: turned / 2 }, (_, i) => base ** ((-2 * i) / turned));
  if (scaling?.kind === 'yarn') return yarnFrequencies(frequencies, turned, base, scaling);
  if (scaling?.kind === 'longrope') return frequencies.map((frequency, i) => frequency / scaling.factors[i]);
  return frequencies.map((frequency) => scaledFrequency(frequency, scaling));
}

type Scaling<K extends RotaryScaling['kind']> = Extract<RotaryScaling, { readonly kind: K }>;

function yarnFrequencies(
  frequencies: readonly number[],
  turned: number,
  base: number,
  { factor, originalPositions, betaFast = 32, betaSlow = 1 }: Scaling<'yarn'>,
): number[] {
  // The number of the frequency that turns so often in the original positions.
  const numberOf = (turns: number): number =>
    (turned * Math.log(originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(Math.floor(numberOf(betaFast)), 0);
  const high = Math.min(Math.ceil(numberOf(betaSlow)), turned - 1);
  return frequencies.map((frequency, i) => {
    const divided = Math.min(Math.max((i - low) / Math.max(high - low, 1e-3), 0), 1);
    return frequency * (1 - divided) + (frequency / factor) * divided;
  });
}

/** Factor of cosines and sines, which makes scores sharper by its square. */
export function rotaryAttentionFactor({ scaling }: RotaryOptions): number {
  if (scaling?.kind === 'longrope') return scaling.attentionFactor ?? 1;
  if (scaling?.kind !== 'yarn') return 1;
  const { factor, attentionFactor } = scaling;
  return attentionFactor ?? (factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1);
}

function scaledFrequency(
  frequency: number,
  scaling: Scaling<'linear'> | Scaling<'llama3'> | undefined,
): number {
  if (!scaling) return frequency;
  if (scaling.kind === 'linear') return frequency / scaling.factor;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling;
  const turns = (originalPositions * frequency) / (2 * Math.PI);
  const share = Math.min(Math.max((turns - low) / (high - low), 0), 1);
  return share * frequency + ((1 - share) * frequency) / factor;
}

/** Cosines and sines of all positions, [most positions, R/2]: no weights, and no part of a checkpoint. */
export class RotaryPositions extends Module {
  readonly cosines: Buffer;
  readonly sines: Buffer;

  constructor(positions: number, options: RotaryOptions) {
    super();
    const frequencies = rotaryFrequencies(options);
    const factor = rotaryAttentionFactor(options);
    const table = (of: (angle: number) => number) => () =>
      Float32Array.from(
        { length: positions * frequencies.length },
        (_, i) => factor * of(Math.floor(i / frequencies.length) * frequencies[i % frequencies.length]),
      );
    const shape = [positions, frequencies.length];
    this.cosines = this.buffer('cosines', shape, table(Math.cos), { persistent: false });
    this.sines = this.buffer('sines', shape, table(Math.sin), { persistent: false });
  }

  /** x [B,N,S,D] turned by positions int32 [B,S]; without them, those from 0 on. */
  turn(x: Tensor, positions?: Tensor): Tensor {
    return turned(x, positions ?? tf.zeros([1], 'int32'), this.cosines.tensor(), this.sines.tensor());
  }

  /** x [B,S,heads·D] turned by positions int32 [B,S]. Without gradient. */
  turnFlat(x: Tensor, heads: number, positions: Tensor): Tensor {
    return rotaryEmbedding(x, positions, this.cosines.tensor(), this.sines.tensor(), { heads });
  }
}

/** Turning is its own inverse the other way round, and so is its gradient. */
function turned(x: Tensor, positions: Tensor, cosines: Tensor, sines: Tensor): Tensor {
  const rotate = (x: Tensor, positions: Tensor, cosines: Tensor, sines: Tensor): Tensor => {
    const [, heads, , size] = x.shape;
    const isPartial = 2 * cosines.shape[1]! < size!;
    return rotaryEmbedding(x, positions, cosines, sines, isPartial ? { heads: heads! } : {});
  };
  return customGradient(
    [x],
    () => ({ value: rotate(x, positions, cosines, sines), saved: [positions, cosines, sines] }),
    (dy, [positions, cosines, sines]) => [rotate(dy, positions, cosines, tf.neg(sines))],
  );
}
