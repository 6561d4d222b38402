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
  return Array.from({ length: turned / 2 }, (_, i) => scaledFrequency(base ** ((-2 * i) / turned), scaling));
}

function scaledFrequency(frequency: number, scaling: RotaryScaling | undefined): number {
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
    const table = (of: (angle: number) => number) => () =>
      Float32Array.from({ length: positions * frequencies.length }, (_, i) =>
        of(Math.floor(i / frequencies.length) * frequencies[i % frequencies.length]),
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
