// Parameters and buffers: states that belong to a module and carry its dotted path as their name.
import { type HostData, State } from '../engine/index.js';
import { CounterRandom } from '../random/index.js';
import type { Initializer } from './initializers.js';

/** What a module says to its parameters and buffers: where it stands in the tree, and the seed of the tree's root. */
export interface StateOwner {
  readonly path: string;
  readonly root: { readonly seed: number };
}

/** A trained value of a module, PyTorch's `nn.Parameter`. Its name is its dotted path from the root. */
export class Parameter extends State {
  /** Frozen parameters get no gradient and no update. */
  trainable = true;
  /** Whether its rows belong to one token each, as those of embeddings and of heads of language models. */
  isTable = false;
  /** The parameter that is used in this one's place; then this one is a name in files and nothing else. */
  tiedTo: Parameter | undefined;

  constructor(
    private readonly owner: StateOwner,
    label: string,
    shape: readonly number[],
    private readonly initializer: Initializer,
  ) {
    super(label, shape, 'float32');
  }

  override get name(): string {
    return joinPath(this.owner.path, this.label);
  }

  override initialValue(): Float32Array {
    return this.initializer(this.shape, new CounterRandom(this.owner.root.seed, 'init', this.name));
  }
}

/** The state whose value a file should hold under the name of `state`. */
export function valueOwner(state: State): State {
  return state instanceof Parameter ? (state.tiedTo ?? state) : state;
}

/** The value to write for a state; undefined: the one it has. */
export type ReadState = (state: State) => Promise<HostData | undefined>;

/**
 * How each batch of training changes a buffer: it keeps a share of its value and something of the batch is added, or batches
 * are counted. Ranks that train together put their buffers together by it.
 */
export type Running = { readonly keeps: number } | 'count';

/** A non-trained value of a module (running statistics, tables). */
export class Buffer extends State {
  constructor(
    private readonly owner: StateOwner,
    label: string,
    shape: readonly number[],
    initial: () => Float32Array | Int32Array,
    dtype: 'float32' | 'int32' = 'float32',
    /** Non-persistent buffers are left out of state dicts. */
    readonly persistent = true,
    /** Absent: batches do not change it. */
    readonly running?: Running,
    /** It follows all parts of a batch, where `Pass.sumOverRanks` puts them together: it is then equal on all ranks. */
    readonly followsAllRanks = false,
  ) {
    super(label, shape, dtype, initial);
  }

  override get name(): string {
    return joinPath(this.owner.path, this.label);
  }
}

/** The dotted path of `label` below `path`; an empty one of the two leaves the other. */
export function joinPath(path: string, label: string): string {
  if (label === '') return path;
  return path === '' ? label : `${path}.${label}`;
}
