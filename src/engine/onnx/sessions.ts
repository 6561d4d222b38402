// The sessions of an engine. Programs of several signatures share those whose graphs are equal: the update of a training
// step does not depend on the shapes of its inputs.
import type { EngineStats } from '../engine.js';
import { hostCallsOf } from './host-call-node.js';
import { encodeModel, nodeName } from './model-proto.js';
import type { OnnxGraph, OnnxValue } from './onnx-graph.js';
import { computesAsPlanned, openSession } from './open-session.js';
import { withCanonicalNames } from './passes/canonical-names.js';
import { runsAsWritten } from './passes/foreseen-operators.js';
import { type MemoryPlan, planMemory } from './passes/memory-plan.js';
import { executionOrder } from './passes/node-order.js';
import { deviceOf } from './providers.js';
import { bytesOfTensor, isOnDevice, type RunTensor } from './run-tensor.js';
import type { RunSettings, Session, SessionModel, SessionOptions } from './session.js';

/** A graph that is run at once. */
export interface Part {
  readonly graph: OnnxGraph;
  /** Absent where there is nothing to compute. */
  readonly session: Session | undefined;
  /** Where its values lie, where that is planned. */
  readonly plan?: MemoryPlan | undefined;
}

type Describe = (name: string) => OnnxValue | undefined;

/** What a graph does not say itself. */
export interface GraphSurroundings {
  /** Shapes and types of values, where they are known; without it no places in memory are planned. */
  readonly shapeOf?: Describe;
  /** Outputs that are to have places beside the values in between. */
  readonly passing?: ReadonlySet<string>;
  /** Of the weights that stand outside of the graph; see `SessionModel`. */
  readonly generation?: object;
}

interface Shared {
  readonly session: Promise<Session>;
  /** Programs that have it or wait for it. */
  users: number;
}

export class Sessions {
  private readonly open = new Map<string, Shared>();

  /** @param stats where open sessions are counted */
  constructor(private readonly stats: EngineStats) {}

  /** A session of a program's own. */
  async own(graph: OnnxGraph, options: SessionOptions, surroundings: GraphSurroundings = {}): Promise<Part> {
    if (graph.nodes.length === 0) return { graph, session: undefined };
    const model = await modelOf(graph, options, surroundings);
    return { graph, session: await this.opened(model, options), plan: model.plan };
  }

  /** The session of all graphs that are equal but for names; it is closed when the last of them is disposed of. */
  async shared(
    graph: OnnxGraph,
    options: SessionOptions,
    surroundings: GraphSurroundings = {},
  ): Promise<Part> {
    const { shapeOf } = surroundings;
    const mayShare = graph.nodes.length > 0 && graph.initializers.every(({ external }) => !external);
    const renamed = mayShare ? withCanonicalNames(graph) : undefined;
    if (!renamed) return this.own(graph, options, surroundings);
    const model = await modelOf(
      renamed.graph,
      options,
      shapeOf ? { shapeOf: renamed.describing(shapeOf) } : {},
    );
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
      return { graph, session: new SharedSession(session, renamed.names, isAlone, leave), plan: model.plan };
    } catch (cause) {
      leave();
      throw cause;
    }
  }

  private countCrossing(feeds: Tensors, fetches: Tensors): void {
    this.stats.bytesToDevice += hostBytesOf(feeds);
    this.stats.bytesToHost += hostBytesOf(fetches);
  }

  private async opened(model: SessionModel, options: SessionOptions): Promise<Session> {
    const session = await openSession(model, options);
    this.stats.sessions++;
    let isOpen = true;
    const crosses = deviceOf(options.provider) !== undefined;
    return {
      run: (feeds, fetches, settings) => {
        if (crosses) this.countCrossing(feeds, fetches);
        return session.run(feeds, fetches, settings);
      },
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

type Tensors = Readonly<Record<string, RunTensor>>;

function hostBytesOf(tensors: Tensors): number {
  return Object.values(tensors).reduce(
    (sum, tensor) => sum + (isOnDevice(tensor) ? 0 : bytesOfTensor(tensor)),
    0,
  );
}

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

  run(feeds: Tensors, fetches: Tensors, settings?: RunSettings): Promise<void> {
    return this.session.run(this.renamed(feeds), this.renamed(fetches), settings);
  }

  release(tensors: Iterable<RunTensor>): void {
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
  { shapeOf, generation = {}, passing }: GraphSurroundings,
): Promise<SessionModel> {
  const isPlanned =
    shapeOf !== undefined && runsAsWritten(graph, shapeOf) && (await computesAsPlanned(options));
  const plan = isPlanned ? planMemory(graph, executionOrder(graph), shapeOf, passing) : undefined;
  const plannedValues = plan?.values.map(({ value }) => value) ?? [];
  const names = (values: readonly OnnxValue[]) => values.map(({ name }) => name);
  return {
    bytes: encodeModel({ ...graph, outputs: [...graph.outputs, ...plannedValues] }),
    plan,
    inputs: names(graph.inputs),
    outputs: names(graph.outputs),
    calls: hostCallsOf(graph.nodes),
    ...(deviceOf(options.provider) ? { onHost: loopNodes(graph) } : {}),
    weights: graph.initializers.filter(({ external }) => external !== undefined),
    generation,
  };
}

/**
 * Loops that were not written out, with what is in them: led by the CPU over a body on the device, every iteration would wait
 * for copies.
 */
function loopNodes({ nodes }: OnnxGraph): string[] {
  return nodes.flatMap((node) => {
    const bodies = Object.values(node.attributes).flatMap((a) =>
      typeof a === 'object' && 'graph' in a ? [a.graph] : [],
    );
    return bodies.length > 0 ? [nodeName(node), ...bodies.flatMap(allNodes)] : [];
  });
}

function allNodes(graph: OnnxGraph): string[] {
  return [...graph.nodes.map(nodeName), ...loopNodes(graph)];
}
