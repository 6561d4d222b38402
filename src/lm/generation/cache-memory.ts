// Keys and values of texts under way. Layers that see all positions have room for the whole text from the start; those with a
// window keep what their next queries may see, and some more, so that it need not be moved at every token.
import { float32, type HostTensor, type HostTensors, int32 } from '../../engine/index.js';
import { cachedHeadSize } from '../../transformer/index.js';
import type { NetworkOptions } from '../network.js';

/** Rooms are a multiple of this, so that texts of other lengths share programs. */
const ROOM_STEP = 64;
/** Positions of a text that are read at once, where a window does not make them fewer. */
const MOST_AT_ONCE = 512;

/** Layers whose memory is of one size: those of one window, or all others. */
interface Share {
  /** Undefined: nothing is forgotten. */
  readonly window: number | undefined;
  readonly room: number;
  /** Names of their keys and values. */
  readonly names: readonly string[];
}

/** A text, as far as it has been read. */
interface Row {
  /** Positions that have been read. */
  length: number;
  /** Positions from the first on that each share has forgotten. */
  readonly forgotten: number[];
}

type Network = Pick<NetworkOptions, 'layers' | 'groups' | 'headSize' | 'windows'>;

/** What attention remembers of texts; programs write into it where it lies. */
export class CacheMemory {
  private constructor(
    /** `keys.i` and `values.i` of each layer, [B,G,room,D]. */
    readonly tensors: HostTensors,
    private readonly shares: readonly Share[],
    private readonly rows: readonly Row[],
  ) {}

  /** Memory of texts that have not begun. @param positions most of them in a text, what is padded included */
  static empty(network: Network, batch: number, positions: number): CacheMemory {
    const shares = sharesOf(network, roundedUp(positions, ROOM_STEP));
    const tensors: HostTensors = {};
    for (const { room, names } of shares) {
      const shape = [batch, network.groups, room, cachedHeadSize(network)];
      for (const name of names)
        tensors[name] = float32(new Float32Array(shape.reduce((a, b) => a * b)), shape);
    }
    const rows = Array.from({ length: batch }, () => ({ length: 0, forgotten: shares.map(() => 0) }));
    return new CacheMemory(tensors, shares, rows);
  }

  /** Positions that each text has. */
  get lengths(): readonly number[] {
    return this.rows.map(({ length }) => length);
  }

  /** Most positions that may be added to a text at once. */
  get mostAtOnce(): number {
    const each = this.shares.map(({ window, room }) => (window === undefined ? room : room - window + 1));
    return Math.min(MOST_AT_ONCE, ...each);
  }

  /** A text by itself, in the same memory. */
  row(at: number): CacheMemory {
    const one = ({ shape, data }: HostTensor): HostTensor => {
      const size = data.length / shape[0];
      return float32(data.subarray(at * size, (at + 1) * size) as Float32Array, [1, ...shape.slice(1)]);
    };
    return new CacheMemory(mapped(this.tensors, one), this.shares, [this.rows[at]]);
  }

  /** Texts that go on from those before, in new memory: row i from row `from[i]`. */
  reordered(from: readonly number[]): CacheMemory {
    const tensors: HostTensors = {};
    for (const [i, { names }] of this.shares.entries()) {
      const filled = Math.max(...this.rows.map((row) => this.used(row, i)));
      for (const name of names) tensors[name] = gathered(this.tensors[name], from, filled);
    }
    const rows = from.map((row) => ({ ...this.rows[row], forgotten: [...this.rows[row].forgotten] }));
    return new CacheMemory(tensors, this.shares, rows);
  }

  /**
   * Makes room for new positions of each text, `mostAtOnce` at most.
   * @returns how far memory is filled with them, by the names that programs have for it
   */
  prepare(steps: number): HostTensors {
    const filled: HostTensors = {};
    for (const [i, share] of this.shares.entries()) {
      const last = this.rows.map((row, at) => {
        if (share.window !== undefined && this.used(row, i) + steps > share.room) this.forget(row, at, i);
        // Texts that have ended keep others company: where they fill the room, their last position is written over.
        return Math.min(this.used(row, i) + steps, share.room) - 1;
      });
      const suffix = share.window === undefined ? '' : `.${share.window}`;
      filled[`lastPlaces${suffix}`] = int32(last, [last.length]);
      filled[`total${suffix}`] = int32([Math.max(...last) + 1], [1]);
    }
    return filled;
  }

  /** New positions of each text are there now. */
  grow(counts: readonly number[]): void {
    for (const [i, row] of this.rows.entries()) row.length += counts[i];
  }

  private used({ length, forgotten }: Row, share: number): number {
    return length - forgotten[share];
  }

  /** All but what the next query sees, which moves to the front. */
  private forget(row: Row, at: number, share: number): void {
    const { window = 0, room, names } = this.shares[share];
    const used = this.used(row, share);
    const keptPositions = Math.min(used, window - 1);
    for (const name of names) {
      const { shape, data } = this.tensors[name];
      const [, groups, , size] = shape;
      for (let group = 0; group < groups; group++) {
        const start = (at * groups + group) * room * size;
        data.copyWithin(start, start + (used - keptPositions) * size, start + used * size);
      }
    }
    row.forgotten[share] = row.length - keptPositions;
  }
}

/** Windows that would need more than the whole text has are none. */
function sharesOf({ layers, windows }: Network, room: number): Share[] {
  const names = new Map<number | undefined, string[]>();
  for (let layer = 0; layer < layers; layer++) {
    const window = windows?.[layer];
    const isBounded = window !== undefined && roomOf(window) < room;
    const key = isBounded ? window : undefined;
    names.set(key, [...(names.get(key) ?? []), `keys.${layer}`, `values.${layer}`]);
  }
  return [...names].map(([window, names]) => ({ window, names, room: window === undefined ? room : roomOf(window) })); // biome-ignore format: one line
}

/** What a query sees before its own position, and as much again to be added, up to a limit. */
function roomOf(window: number): number {
  const atOnce = Math.min(MOST_AT_ONCE, roundedUp(window, ROOM_STEP));
  return roundedUp(window - 1 + atOnce, ROOM_STEP);
}

export function roundedUp(count: number, step: number): number {
  return Math.ceil(count / step) * step;
}

function mapped(tensors: HostTensors, fn: (tensor: HostTensor) => HostTensor): HostTensors {
  return Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [key, fn(tensor)]));
}

/** Rows of x [B,G,room,D] in new memory, as far as they are filled. */
function gathered({ shape, data }: HostTensor, from: readonly number[], filled: number): HostTensor {
  const [, groups, room, size] = shape;
  const out = new Float32Array(from.length * groups * room * size);
  for (const [row, source] of from.entries()) {
    for (let group = 0; group < groups; group++) {
      const at = (source * groups + group) * room * size;
      const part = data.subarray(at, at + filled * size);
      out.set(part, (row * groups + group) * room * size);
    }
  }
  return float32(out, [from.length, groups, room, size]);
}
