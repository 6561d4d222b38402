// The engine that runs op by op.
import { AnemoneError } from '../../errors/index.js';
import { registerGradients } from '../autodiff/index.js';
import { signalAround, throwIfCancelled } from '../cancellation.js';
import {
  type Engine,
  type EngineStats,
  type HostTensors,
  noStats,
  type Program,
  type RunOptions,
  type Tensors,
} from '../engine.js';
import { type LowType, rehearsalOf } from '../precision.js';
import { type ProgramState, withScope } from '../scope.js';
import { firstValue } from '../stored-types.js';
import { type HostData, type HostTensor, taking } from '../tensors.js';
import { type Tensor, tf } from '../tf.js';
import { EagerScope } from './eager-scope.js';
import { download, fromHost } from './foreign-types.js';

/**
 * An engine that runs programs op by op on a tfjs backend: `cpu` (the reference semantics, slow) or `tensorflow`
 * (tfjs-node). Nothing is compiled; a "program" is the function itself.
 */
export class EagerEngine implements Engine {
  readonly stats: EngineStats = noStats();
  private readonly values = new Map<ProgramState, Tensor>();

  /** `backend` is the tfjs backend's name, already registered. */
  constructor(
    readonly name: string,
    private readonly backend: string,
  ) {
    registerGradients();
  }

  compile(name: string, fn: (inputs: Tensors) => Tensors): Program {
    return {
      name,
      run: (inputs, options) => this.run(fn, inputs, options ?? {}),
      dispose: () => {},
    };
  }

  async read(state: ProgramState): Promise<HostData> {
    return (await download(this.valueOf(state))).data;
  }

  async write(state: ProgramState, value: HostData): Promise<void> {
    if (value.length !== state.size) {
      throw new AnemoneError({
        code: 'engine.state-size',
        path: state.name,
        message: `expected ${state.size} values, got ${value.length}`,
      });
    }
    await this.use();
    this.replace(state, fromHost({ dtype: state.dtype, shape: state.shape, data: value.slice() }));
  }

  async lowProducts(type: LowType): Promise<string> {
    return `rehearsed: ${rehearsalOf(type)}`;
  }

  release(states: Iterable<ProgramState>): void {
    for (const state of states) {
      this.values.get(state)?.dispose();
      this.values.delete(state);
    }
  }

  async dispose(): Promise<void> {
    this.release([...this.values.keys()]);
  }

  private async use(): Promise<void> {
    if (tf.getBackend() !== this.backend) await tf.setBackend(this.backend);
  }

  private valueOf(state: ProgramState): Tensor {
    let value = this.values.get(state);
    if (!value) {
      value = tf.keep(fromHost({ dtype: state.dtype, shape: state.shape, data: firstValue(state) }));
      this.values.set(state, value);
    }
    return value;
  }

  private replace(state: ProgramState, value: Tensor): void {
    this.values.get(state)?.dispose();
    this.values.set(state, tf.keep(value));
  }

  private async run(
    fn: (inputs: Tensors) => Tensors,
    inputs: HostTensors,
    options: RunOptions,
  ): Promise<HostTensors> {
    const signal = options.signal ?? signalAround();
    throwIfCancelled(signal);
    await this.use();
    this.stats.runs++;
    const scope = new EagerScope((state) => this.valueOf(state), options.random);
    const feeds: Tensors = {};
    for (const [key, value] of Object.entries(inputs)) feeds[key] = tf.keep(fromHost(value));
    const results = outputsOf(fn, feeds, scope);
    const outputs: HostTensors = {};
    for (const [key, value] of Object.entries(results)) {
      outputs[key] = placed(await download(value), options.into?.[key], key);
      value.dispose();
    }
    for (const feed of Object.values(feeds)) feed.dispose();
    const commit = options.commitIf?.(outputs) ?? true;
    for (const [state, value] of scope.assigned) {
      if (commit) this.replace(state, value);
      else value.dispose();
    }
    return outputs;
  }
}

/** What was computed, in the place that was given for it if there is one. */
function placed(computed: HostTensor, target: HostTensor | undefined, key: string): HostTensor {
  if (!target) return computed;
  taking(target, computed, key).data.set(computed.data);
  return target;
}

function outputsOf(fn: (inputs: Tensors) => Tensors, feeds: Tensors, scope: EagerScope): Tensors {
  try {
    return withScope(scope, () =>
      tf.tidy(() => {
        const outputs = fn(feeds);
        return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, tf.clone(value)]));
      }),
    );
  } finally {
    scope.dispose();
  }
}
