// Finds updates that compute the same for each number of their states, whatever the shapes: those of most optimizers, moving
// averages, sums of gradients. All that compute alike are one small graph over vectors of any length, which is run over
// stretches of the states (flat-runner.ts): its nodes do not grow with the model, and what is held between its nodes is as
// long as a stretch, not as a weight.
import { finishGraph } from '../graph-builder.js';
import type { OnnxGraph, OnnxValue } from '../onnx-graph.js';
import type { Component, FlatMember, FlatUpdate, Update, UpdatesToFlatten } from './flat-update.js';
import { vectorGraph } from './vector-graph.js';
import { vectorsOf } from './vectors.js';

export interface FlattenedUpdates {
  /** What is run first: the other updates, and what the flat ones take from there. */
  readonly rest: OnnxGraph;
  readonly flat: readonly FlatUpdate[];
}

export function flattenUpdates(given: UpdatesToFlatten): FlattenedUpdates {
  let kept = componentsOf(given);
  for (;;) {
    const rest = restOf(given, kept);
    const cheap = kept.filter((component) => !isComputedTwice(component, rest));
    if (cheap.length === kept.length) return { rest, flat: alike(kept, given) };
    kept = cheap;
  }
}

/**
 * Updates that share old values, or what is computed of them, stand together: the one may write over what the other
 * reads.
 */
function componentsOf(given: UpdatesToFlatten): readonly Component[] {
  const late = new Set(given.graph.outputs.map(({ name }) => name));
  const updates = given.updates.filter(([, { name }]) => late.has(name));
  const groups = new Groups();
  const refused = new Set<Update>();
  for (const update of updates) {
    const [state, { name }] = update;
    const old = given.stateInputs.get(state);
    if (old !== undefined) groups.join(name, old);
    const vectors = vectorsOf([update], given);
    if (!vectors) refused.add(update);
    else for (const other of vectors.ofStates) groups.join(name, other);
  }
  const members = new Map<string, Update[]>();
  for (const update of updates) {
    const root = groups.root(update[1].name);
    members.set(root, [...(members.get(root) ?? []), update]);
  }
  return [...members.values()].flatMap((together) => {
    const vectors = together.some((update) => refused.has(update)) ? undefined : vectorsOf(together, given);
    return vectors ? [{ updates: together, vectors }] : [];
  });
}

/** What is left for the graph that is run once. */
function restOf({ graph, describe }: UpdatesToFlatten, flat: readonly Component[]): OnnxGraph {
  const done = new Set(flat.flatMap(({ updates }) => updates.map(([, { name }]) => name)));
  const given = new Set(graph.inputs.map(({ name }) => name));
  const wanted = flat.flatMap(({ vectors }) => [...vectors.leaves, ...vectors.scalars]);
  const made = [...new Set(wanted)].filter((name) => !given.has(name));
  const outputs = [
    ...graph.outputs.filter(({ name }) => !done.has(name)),
    ...made.map((name) => describe(name) as OnnxValue),
  ];
  const unique = new Map(outputs.map((value) => [value.name, value]));
  return finishGraph(graph.nodes, graph.inputs, [...unique.values()], graph.initializers);
}

/** Whether other updates need, as a whole, what is computed of old values here. Of a gradient it may be done again. */
function isComputedTwice({ vectors }: Component, rest: OnnxGraph): boolean {
  const others = new Set(rest.nodes);
  return vectors.nodes.some((node) => others.has(node) && vectors.ofStates.has(node.outputs[0]));
}

/** Components that compute alike, as one. */
function alike(components: readonly Component[], given: UpdatesToFlatten): readonly FlatUpdate[] {
  const kinds = new Map<string, Omit<FlatUpdate, 'members'> & { members: FlatMember[] }>();
  for (const component of components) {
    const { key, member, make } = vectorGraph(component, given);
    const kind = kinds.get(key);
    if (kind) kind.members.push(member);
    else kinds.set(key, { ...make(), members: [member] });
  }
  return [...kinds.values()];
}

/** Sets of names that were joined. */
class Groups {
  private readonly parents = new Map<string, string>();

  root(name: string): string {
    let root = name;
    for (let next = this.parents.get(root); next !== undefined; next = this.parents.get(root)) root = next;
    return root;
  }

  join(a: string, b: string): void {
    const [rootA, rootB] = [this.root(a), this.root(b)];
    if (rootA !== rootB) this.parents.set(rootB, rootA);
  }
}
