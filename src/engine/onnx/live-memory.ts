// What a run of a traced program takes in memory, without running it.
import type { LiveValues, ProgramMemory } from '../program-memory.js';
import type { ProgramState } from '../scope.js';
import { BY_PLAN, BY_RUNTIME } from './buffer-plan.js';
import { bytesOfType, type OnnxGraph } from './onnx-graph.js';
import { passingValues } from './passing-values.js';
import { bodyOf, bytesOfValue, type LiveValue, NOTHING, peakOf } from './peak.js';
import type { TracedProgram } from './trace.js';
import { ValueSizes } from './value-sizes.js';

/** What is told of buffers that wait. */
const IDLE = 'waiting to be used again';
const NONE: ReadonlySet<string> = new Set();

/** What a run of the program takes. @param planned its values lie where passes/memory-plan.ts says */
export function programMemory(traced: TracedProgram, planned: boolean): ProgramMemory {
  const { segments, apply, calls, shapes, outputs, inputs } = traced;
  const outputNames = new Set([...outputs.values()].map(({ name }) => name));
  const passing = planned ? passingValues(traced) : NONE;
  const crossing = [
    ...calls.flatMap((call) => [...call.inputs, ...call.outputs]),
    ...(apply?.crossing ?? []).filter(({ name }) => !passing.has(name) && !outputNames.has(name)),
  ];
  const sizes = new ValueSizes(shapes);
  const parts = apply ? [...segments, apply.graph] : segments;
  const allocation = planned ? BY_PLAN : BY_RUNTIME;
  const peaks = parts.map((part) => peakOf(part, sizes, allocation, part === segments[0] ? passing : NONE));
  const peak = peaks.reduce((most, other) => (other.bytes > most.bytes ? other : most), NOTHING);
  return {
    aliveBytes: peak.bytes,
    alive: together(peak.values),
    planned,
    crossingBytes: sum(crossing.map(bytesOfValue)),
    inputBytes:
      sum([...inputs.values()].map(bytesOfValue)) + sum(traced.random.map(({ count }) => 4 * count)),
    outputBytes: sum([...outputs.values()].map(bytesOfValue)),
    constantBytes: sum(
      parts.flatMap(({ initializers }) => initializers.map(({ bytes }) => bytes.byteLength)),
    ),
    nodes: sum(parts.map(countNodes)),
    states: stateBytes(traced),
  };
}

/** Bytes alive at once in the part that needs the most, and of what crosses from one part to the next. */
export function peakBytes(traced: TracedProgram, planned: boolean): number {
  const { aliveBytes, crossingBytes } = programMemory(traced, planned);
  return aliveBytes + crossingBytes;
}

/** Bytes of each state, new value included. */
function stateBytes({ states, updates, apply }: TracedProgram): ReadonlyMap<ProgramState, number> {
  const copies = (state: ProgramState) => (updates.has(state) && !apply?.inPlace.has(state) ? 2 : 1);
  const all = new Set([...states.keys(), ...updates.keys()]);
  return new Map([...all].map((state) => [state, copies(state) * state.size * bytesOfType(state.dtype)]));
}

/** Values of one operator and one part of the program, added up; the largest sums first. */
function together(values: readonly LiveValue[]): readonly LiveValues[] {
  const groups = new Map<string, { part: string; kind: string; bytes: number; count: number }>();
  for (const { node, bytes, idle } of values) {
    const { part = '' } = node;
    const kind = idle ? IDLE : node.op;
    const key = `${part}\n${kind}`;
    const group = groups.get(key) ?? { part, kind, bytes: 0, count: 0 };
    group.bytes += bytes;
    group.count++;
    groups.set(key, group);
  }
  return [...groups.values()].filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
}

/** Nodes of a graph, and of the loops in it. */
function countNodes({ nodes }: OnnxGraph): number {
  return sum(
    nodes.map((node) => {
      const body = bodyOf(node);
      return 1 + (body ? countNodes(body) : 0);
    }),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
