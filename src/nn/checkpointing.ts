// Gradient checkpointing of stacks of layers, by Megatron's keys (NeMo: megatron_gpt_config.yaml).
import type { ConfigOf, FieldDefinitions } from '../config/index.js';
import { type Tensor, tf } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import { Attention } from './layers/attention-module.js';
import { customGradient } from './layers/custom-gradient.js';
import type { Module } from './module.js';
import type { Pass } from './pass.js';
import { checkpoint } from './recompute.js';

/** The keys of a section whose module is a stack of layers. */
export const checkpointFields = {
  activations_checkpoint_granularity: {
    doc: 'Computed again for the gradient instead of kept: full, whole layers; selective, the attention weights alone; blocks (not in NeMo), the attention, feed-forward and convolution blocks of a layer one by one, which keeps more than full and computes less. null: nothing.',
    format: ['full', 'selective', 'blocks'],
    nullable: true,
    default: null,
  },
  activations_checkpoint_method: {
    doc: 'With full: uniform, all layers in groups of activations_checkpoint_num_layers; block, only so many layers, the first, one by one. With blocks: block alone. Default: uniform.',
    format: ['uniform', 'block'],
    nullable: true,
    default: null,
  },
  activations_checkpoint_num_layers: {
    doc: 'Layers of a group, or layers at all; see the method. Default: 1.',
    format: 'int',
    min: 1,
    nullable: true,
    default: null,
  },
} as const satisfies FieldDefinitions;

/** Values of `checkpointFields`; absent ones are null. */
export type CheckpointConfig = Partial<ConfigOf<typeof checkpointFields>>;

const NEEDS = {
  selective: 'computes attention again',
  blocks: 'computes the blocks around attention again',
};

/** A key that another one contradicts, as a message says it. */
interface Conflict {
  readonly key: string;
  readonly message: string;
  readonly hint?: string;
}

/** What is wrong with the keys taken together; empty: nothing. */
function conflictsOf(
  {
    activations_checkpoint_granularity: granularity = null,
    activations_checkpoint_method: method = null,
    activations_checkpoint_num_layers: count = null,
  }: CheckpointConfig,
  hasAttention: boolean,
): readonly Conflict[] {
  const prefix = 'activations_checkpoint_';
  const takesMethod = granularity === 'full' || (granularity === 'blocks' && method === 'block');
  const how = granularity === null ? 'needs' : 'is for';
  const message = `${how} ${prefix}granularity: full`;
  return [
    ...(method !== null && !takesMethod ? [{ key: `${prefix}method`, message }] : []),
    ...(count !== null && !takesMethod ? [{ key: `${prefix}num_layers`, message }] : []),
    ...((granularity === 'selective' || granularity === 'blocks') && !hasAttention
      ? [
          {
            key: `${prefix}granularity`,
            message: `${granularity} ${NEEDS[granularity]}, and there is none`,
            hint: 'use full',
          },
        ]
      : []),
  ];
}

/**
 * For the `refine` of a schema with `checkpointFields`: keys that contradict each other are faults of the config.
 * @param hasAttention whether the layers have attention, which `selective` is about
 */
export function refineCheckpoints(
  { hasAttention } = { hasAttention: true },
): (config: CheckpointConfig, report: (key: string, message: string, hint?: string) => void) => void {
  return (config, report) => {
    for (const { key, message, hint } of conflictsOf(config, hasAttention)) report(key, message, hint);
  };
}

/** Layers that are computed one after the other, and kept or computed again together. */
interface LayerGroup {
  readonly first: number;
  readonly end: number;
  readonly recomputed: boolean;
}

/**
 * What a layer of a stack makes of what the one before has made, and of what all layers read. The pass is that of the part
 * which the layer is computed in.
 */
export type StackLayer = (carried: Tensor[], index: number, pass: Pass, shared: Tensor[]) => Tensor[];

/** What holds for the layers of a group. A layer that is computed again is so when all layers have been computed. */
export interface StackState {
  readonly layer: StackLayer;
  readonly pass: Pass;
}

/** How a stack is run; see `LayerCheckpoints.through`. */
export interface StackOptions {
  /** Tensors that all layers read, and that are computed with gradients. */
  readonly shared?: readonly Tensor[];
  /**
   * How many of the tensors that go from layer to layer have gradients, the first of them; default all. Lengths and masks do
   * not, and nobody should compute one.
   */
  readonly differentiable?: number;
  /** Layers after which the caller does something: groups end there. */
  readonly breaks?: readonly number[];
  /** Gets what each layer gives; may replace it after a break. Absent: only the last is of interest. */
  readonly each?: (index: number, carried: Tensor[]) => Tensor[];
}

/** Which layers of a stack keep their activations in a training pass, and which only their input. */
export class LayerCheckpoints {
  private recomputedLayers = 0;
  private groupSize = 1;
  /** Whether a layer is computed again block by block. */
  private readonly byBlocks: boolean;
  /** Whether the config says what is computed again. */
  readonly isConfigured: boolean;

  /**
   * @param section key of the section that `config` is in `model`, for messages
   * @throws AnemoneError `nn.checkpointing` for keys that contradict, or a stack without attention
   */
  constructor(
    config: CheckpointConfig,
    private readonly layers: readonly Module[],
    readonly section = 'encoder',
  ) {
    const {
      activations_checkpoint_granularity: granularity = null,
      activations_checkpoint_method: method = null,
      activations_checkpoint_num_layers: count = null,
    } = config;
    this.isConfigured = granularity !== null;
    this.byBlocks = granularity === 'blocks';
    const attentions = attentionOf(layers);
    const [conflict] = conflictsOf(config, attentions.length > 0 || layers.length === 0);
    if (conflict) {
      const { key, message, hint } = conflict;
      throw new AnemoneError({ code: 'nn.checkpointing', path: `${section}.${key}`, message, hint });
    }
    if (granularity === 'selective') for (const attention of attentions) attention.recomputesWeights = true;
    if (granularity === 'selective' || granularity === null) return;
    if (method === 'block') this.use(count ?? 1);
    else {
      this.recomputedLayers = layers.length;
      this.groupSize = count ?? 1;
    }
  }

  /** Number of layers. */
  get layerCount(): number {
    return this.layers.length;
  }

  /** Layers that are computed again now. */
  get recomputed(): number {
    return this.recomputedLayers;
  }

  /** From now on the first `count` layers are computed again, each by itself: the method `block`. */
  use(count: number): void {
    this.recomputedLayers = Math.min(count, this.layers.length);
    this.groupSize = 1;
  }

  /**
   * What the last layer gives.
   * @param first what the first layer gets
   * @param current asked at the start of each group: what stands between two groups may change it
   */
  through(
    first: readonly Tensor[],
    current: () => StackState,
    { shared = [], breaks = [], each, differentiable = first.length }: StackOptions = {},
  ): Tensor[] {
    let last = [...first];
    for (const group of this.groups(breaks)) {
      const made = this.run(group, last, current(), shared, each !== undefined);
      const isPart = group.recomputed && !this.byBlocks;
      const outputs = isPart ? made.map((tensors) => withConstants(tensors, differentiable)) : made;
      const firstKept = group.end - outputs.length;
      for (const [i, output] of outputs.entries()) last = each ? each(firstKept + i, output) : output;
    }
    return last;
  }

  /** What each layer of a group gives, or only the last. */
  private run(
    { first, end, recomputed }: LayerGroup,
    carried: Tensor[],
    { layer, pass }: StackState,
    shared: readonly Tensor[],
    all: boolean,
  ): Tensor[][] {
    const width = carried.length;
    // What layers share is named once for each, the last first: the gradients are then added up in the order in which they
    // would be if nothing were computed again, and come out with the same bits.
    const count = end - first;
    const sharedBy = (inputs: Tensor[], i: number): Tensor[] => {
      const start = width + (end - 1 - i) * shared.length;
      return inputs.slice(start, start + shared.length);
    };
    const part = (inputs: Tensor[], pass: Pass): Tensor[] => {
      const outputs: Tensor[][] = [inputs.slice(0, width)];
      for (let i = first; i < end; i++) {
        outputs.push(layer(outputs[outputs.length - 1], i, pass, sharedBy(inputs, i)));
      }
      return outputs.slice(all ? 1 : -1).flat();
    };
    const inputs = [...carried, ...Array.from({ length: count }, () => shared).flat()];
    const results =
      recomputed && !this.byBlocks
        ? checkpoint(part, inputs, pass)
        : part(inputs, recomputed ? { ...pass, recomputesBlocks: true } : pass);
    return Array.from({ length: results.length / width }, (_, i) =>
      results.slice(i * width, (i + 1) * width),
    );
  }

  private groups(breaks: readonly number[]): readonly LayerGroup[] {
    const groups: LayerGroup[] = [];
    for (let first = 0; first < this.layers.length; ) {
      const recomputed = first < this.recomputedLayers;
      const bound = Math.min(...breaks.filter((layer) => layer >= first), this.layers.length - 1);
      const end = Math.min(recomputed ? first + this.groupSize : first + 1, bound + 1);
      groups.push({ first, end, recomputed });
      first = end;
    }
    return groups;
  }
}

const attentionOf = (layers: readonly Module[]): readonly Attention[] =>
  layers.flatMap((layer) => [...layer.modules()]).filter((module) => module instanceof Attention);

/** The tensors from `start` on have no gradient. */
function withConstants(tensors: readonly Tensor[], start: number): Tensor[] {
  return tensors.map((tensor, i) => (i < start || tensor.dtype !== 'float32' ? tensor : constant(tensor)));
}

/** x, whose gradient is not asked for. */
function constant(x: Tensor): Tensor {
  return customGradient(
    [x],
    () => ({ value: tf.clone(x), saved: [] }),
    (dy) => [tf.zerosLike(dy)],
  );
}

/** The stacks of a model whose layers can be checkpointed: what its modules have as `checkpoints`. */
export function checkpointsOf(root: Module): readonly LayerCheckpoints[] {
  return [...root.modules()].flatMap((module) => {
    const { checkpoints } = module as { readonly checkpoints?: unknown };
    return checkpoints instanceof LayerCheckpoints ? [checkpoints] : [];
  });
}

/** Those of them whose keys do not say what is computed again. */
export function undecidedCheckpoints(root: Module): readonly LayerCheckpoints[] {
  return checkpointsOf(root).filter(({ isConfigured }) => !isConfigured);
}
