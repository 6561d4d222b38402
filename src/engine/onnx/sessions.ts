// The sessions of an engine. Programs of several signatures share those whose graphs are equal: the update of a training
// step does not depend on the shapes of its inputs.
import type { EngineStats } from '../engine.js';
import type { HostTensor } from '../tensors.js';
import { hostCallsOf } from './host-call-node.js';
import { executionOrder } from './live-memory.js';
import { encodeModel } from './model-proto.js';
import type { OnnxGraph, OnnxValue } from './onnx-graph.js';
import { computesAsPlanned, openSession } from './open-session.js';
import { withCanonicalNames } from './passes/canonical-names.js';
import { planMemory } from './passes/memory-plan.js';
import type { Session, SessionModel, SessionOptions } from './session.js';

/** A graph that is run at once. */
export interface Part {
  readonly graph: OnnxGraph;
  /** Absent where there is nothing to compute. */
  readonly session: Session | undefined;
}

type Describe = (name: string) => OnnxValue | undefined;

interface Shared {
  readonly session: Promise<Session>;
  /** Programs that have it or wait for it. */
  users: number;
}

export class Sessions {
  private readonly open = new Map<string, Shared>();

  /** @param stats where open sessions are counted */
  constructor(private readonly stats: EngineStats) {}

  /**
   * A session of a program's own.
   * @param shapeOf shapes and types of values, where they are known; without it no places in memory are planned
   */
  async own(graph: OnnxGraph, options: SessionOptions, shapeOf?: Describe): Promise<Part> {
    if (graph.nodes.length === 0) return { graph, session: undefined };
    return { graph, session: await this.opened(await modelOf(graph, options, shapeOf), options) };
  }

  /** The session of all graphs that are equal but for names; it is closed when the last of them is disposed of. */
  async shared(graph: OnnxGraph, options: SessionOptions, shapeOf?: Describe): Promise<Part> {
    const renamed = graph.nodes.length === 0 ? undefined : withCanonicalNames(graph);
    if (!renamed) return this.own(graph, options, shapeOf);
    const model = await modelOf(renamed.graph, options, shapeOf && renamed.describing(shapeOf));
    const key = Buffer.from(model.bytes).toString('latin1');
    const shared = this.open.get(key) ?? { session: this.opened(model, options), users: 0 };
    this.open.set(key, shared);
    shared.users++;
    const leave = (): boolean => {
      if (--shared.users === 0) this.open.delete(key);
      return shared.users === 0;
    };
    try {
      const session = await shared.session;
      const isAlone = () => shared.users === 1;
      return { graph, session: new SharedSession(session, renamed.names, isAlone, leave) };
    } catch (cause) {
      leave();
      throw cause;
    }
  }

  private async opened(model: SessionModel, options: SessionOptions): Promise<Session> {
    const session = await openSession(model, options);
    this.stats.sessions++;
    let isOpen = true;
    return {
      run: (feeds, fetches) => session.run(feeds, fetches),
      release: (tensors) => session.release(tensors),
      endProfiling: () => session.endProfiling(),
      dispose: async () => {
        if (isOpen) this.stats.sessions--;
        isOpen = false;
        await session.dispose();
      },
    };
  }
}

type Tensors = Readonly<Record<string, HostTensor>>;

/** What one user of a session has of it, with the user's names. */
class SharedSession implements Session {
  private isOpen = true;
  /** Undefined where they are those of the session. */
  private readonly names: ReadonlyMap<string, string> | undefined;

  /** @param leave says whether the user was the last */
  constructor(
    private readonly session: Session,
    names: ReadonlyMap<string, string>,
    private readonly isAlone: () => boolean,
    private readonly leave: () => boolean,
  ) {
    this.names = [...names].every(([own, other]) => own === other) ? undefined : names;
  }

  run(feeds: Tensors, fetches: Tensors): Promise<void> {
    return this.session.run(this.renamed(feeds), this.renamed(fetches));
  }

  release(tensors: Iterable<HostTensor>): void {
    this.session.release(tensors);
  }

  /** Of the last user: others go on. */
  endProfiling(): void {
    if (this.isAlone()) this.session.endProfiling();
  }

  async dispose(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    if (this.leave()) await this.session.dispose();
  }

  private renamed(tensors: Tensors): Tensors {
    const { names } = this;
    if (!names) return tensors;
    return Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [names.get(name) as string, tensor]),
    );
  }
}

async function modelOf(
  graph: OnnxGraph,
  options: SessionOptions,
  shapeOf: Describe | undefined,
): Promise<SessionModel> {
  const isPlanned = shapeOf !== undefined && (await computesAsPlanned(options));
  const plan = isPlanned ? planMemory(graph, executionOrder(graph), shapeOf) : undefined;
  const plannedValues = plan?.values.map(({ value }) => value) ?? [];
  const names = (values: readonly OnnxValue[]) => values.map(({ name }) => name);
  return {
    bytes: encodeModel({ ...graph, outputs: [...graph.outputs, ...plannedValues] }),
    plan,
    inputs: names(graph.inputs),
    outputs: names(graph.outputs),
    calls: hostCallsOf(graph.nodes),
  };
}
