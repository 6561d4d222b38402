// What a session is, whichever way ONNX Runtime is reached: computes one graph, from tensors of the host or of its device into
// others. `open-session.ts` makes them.
import type { TensorSpec } from '../tensors.js';
import type { Workspace } from './capi/workspace.js';
import type { HostCallNode } from './host-call-node.js';
import type { OnnxInitializer } from './onnx-graph.js';
import type { MemoryPlan } from './passes/memory-plan.js';
import type { Placement } from './placement.js';
import type { DeviceTensor, RunTensor } from './run-tensor.js';

export interface SessionOptions {
  readonly provider: string;
  /** What the provider is told, by the names that ONNX Runtime's C API has for it. */
  readonly providerOptions?: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly optimization: 'disabled' | 'basic' | 'extended' | 'all';
  readonly arena: boolean;
  readonly profile?: string;
  readonly logSeverity?: 0 | 1 | 2 | 3 | 4;
  /** Told, after the first run, on which devices the nodes ran. Not for the CPU provider. */
  readonly onPlacement?: (placement: Placement) => void;
  /** Memory for values whose places are planned; without it none are. */
  readonly workspace?: Workspace;
}

/** An ONNX model, and the names of what goes in and comes out. */
export interface SessionModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Nodes that are functions of ours; none where the program was cut at them. */
  readonly calls: readonly HostCallNode[];
  /** Initializers that its bytes only name. Their own bytes stay where they are, and must not change. */
  readonly weights: readonly OnnxInitializer[];
  /** Names of nodes that the CPU runs, whatever kernels the provider has. */
  readonly onHost?: readonly string[];
  /** Sessions of one generation hold equal weights, and lay them out for their products once for all. */
  readonly generation: object;
  /** Where values in between are to lie. They are outputs of the model, after those that are named. */
  readonly plan?: MemoryPlan | undefined;
}

/** Part of a block, which may be larger than a typed array can be: 4 GiB. */
export interface Room {
  readonly block: ArrayBuffer;
  /** In bytes. */
  readonly start: number;
}

export interface RunSettings {
  /** Ends the run where that can be, with `engine.cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Where the values lie whose places are planned; without it, in a part of the options' workspace that nobody uses. */
  readonly memory?: Room | undefined;
}

export interface Session {
  /** Computes into `fetches`. Every input and output of the model is named. */
  run(
    feeds: Readonly<Record<string, RunTensor>>,
    fetches: Readonly<Record<string, RunTensor>>,
    settings?: RunSettings,
  ): Promise<void>;
  /** Gives up what it keeps of tensors that no later run gets. */
  release(tensors: Iterable<RunTensor>): void;
  dispose(): Promise<void>;
  endProfiling(): void;
}

/** Makes and frees tensors on the device of a session, which must outlive them. */
export interface DeviceAllocator {
  /** @throws Error what ONNX Runtime says */
  allocate(spec: TensorSpec): DeviceTensor;
  free(tensor: DeviceTensor): void;
  /** Frees what is left. */
  dispose(): void;
}

/** A session that can say where its device's memory is. */
export interface DeviceSession extends Session {
  /** Throws where its provider computes in memory of the host. */
  allocator(): DeviceAllocator;
}
