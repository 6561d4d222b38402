// Puts the tensors of a file into states of the same names, or says how the two differ.
import { type Engine, type State, storedValues } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import type { SafeTensor, WeightFile } from '../formats/index.js';

/** How strictly states and tensors must agree. */
export interface LoadWeightsOptions {
  /** Whether states without a tensor, and tensors without a state, are errors. Default true. */
  readonly strict?: boolean | undefined;
  /** Second names of states, which the file may have too; see `Module.tiedNames`. */
  readonly tied?: ReadonlyMap<string, unknown>;
}

/** Which names of the file and of the module met, and which did not. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** States that keep the value they had. */
  readonly missing: readonly string[];
  /** Tensors that nothing took. */
  readonly unexpected: readonly string[];
}

/** Bytes; larger tensors get memory of their own. */
const MAX_SCRATCH = 1 << 26;

/** What `loadWeights` needs of a file. */
export type WeightSource = Pick<WeightFile, 'name' | 'entries' | 'read' | 'resident'>;

/**
 * Writes every tensor into the state of its name, one at a time. Halves become floats, 64-bit integers 32-bit.
 * @throws AnemoneError `checkpoint.mismatch` naming missing, unexpected and differently shaped tensors (with
 *   `strict: false` only the last); nothing is written then
 */
export async function loadWeights(
  states: readonly State[],
  weights: WeightSource,
  engine: Pick<Engine, 'write'>,
  options: LoadWeightsOptions = {},
): Promise<LoadReport> {
  const { entries } = weights;
  const wantedNames = new Set(states.map((state) => state.name));
  const missingNames = states.filter((state) => !entries.has(state.name)).map((state) => state.name);
  const unexpected = [...entries.keys()].filter((name) => !wantedNames.has(name) && !options.tied?.has(name));
  const present = states.filter((state) => entries.has(state.name));
  const reshaped = present
    .filter((state) => entries.get(state.name)?.shape.join() !== state.shape.join())
    .map((state) => `${state.name} is [${entries.get(state.name)?.shape}], the model has [${state.shape}]`);
  const strict = options.strict ?? true;
  const problems = [
    ...(strict ? listed('missing in the checkpoint', missingNames) : []),
    ...(strict ? listed('unknown to the model', unexpected) : []),
    ...listed('of another shape', reshaped),
  ];
  if (problems.length > 0) throw mismatch(problems, weights.name);
  const order = new Map([...entries.keys()].map((name, i) => [name, i]));
  // Tensors are read in the order in which they lie in the file, which is the fastest.
  const inOrder = present.toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
  await (weights.resident ? giveAll : copyAll)(inOrder, weights, engine);
  return { loaded: present.map((state) => state.name), missing: missingNames, unexpected };
}

/** The weights stay where the file was read to; but two states that share numbers in the file must not share memory. */
async function giveAll(
  states: readonly State[],
  weights: WeightSource,
  engine: Pick<Engine, 'write'>,
): Promise<void> {
  /** How far each piece of memory has been given away. */
  const takenBytes = new Map<ArrayBufferLike, number>();
  let next = states.length > 0 ? weights.read(states[0].name) : undefined;
  for (const [i, state] of states.entries()) {
    const current = next as Promise<SafeTensor>;
    // While one is written out, the next is read.
    next = i + 1 < states.length ? weights.read(states[i + 1].name) : undefined;
    next?.catch(() => {});
    const value = storedValues(await current, state.dtype);
    const { buffer, byteOffset, byteLength } = value;
    const givenBytes = takenBytes.get(buffer) ?? 0;
    await engine.write(state, value, byteOffset >= givenBytes);
    takenBytes.set(buffer, Math.max(givenBytes, byteOffset + byteLength));
  }
}

/**
 * The engine copies, so two pieces of memory do for all, one being read into while the other is copied: fresh
 * memory for every tensor would cost more than the reading.
 */
async function copyAll(
  states: readonly State[],
  weights: WeightSource,
  engine: Pick<Engine, 'write'>,
): Promise<void> {
  const largest = states.reduce((most, { size }) => Math.max(most, size), 0);
  const scratch = [0, 1].map(() => new Uint8Array(Math.min(8 * largest, MAX_SCRATCH)));
  const readWeight = (i: number) => weights.read(states[i].name, scratch[i % 2]);
  let next = states.length > 0 ? readWeight(0) : undefined;
  for (const [i, state] of states.entries()) {
    const tensor = await (next as Promise<SafeTensor>);
    next = i + 1 < states.length ? readWeight(i + 1) : undefined;
    // If this write fails, nobody awaits the next read any more; its failure must not count as unhandled.
    next?.catch(() => {});
    await engine.write(state, storedValues(tensor, state.dtype));
  }
}

/** The names on one line, the first few where there are many. */
function listed(what: string, names: readonly string[]): string[] {
  const shownCount = 8;
  if (names.length === 0) return [];
  const rest = names.length > shownCount ? `, and ${names.length - shownCount} more` : '';
  return [`${names.length} ${what}: ${names.slice(0, shownCount).join(', ')}${rest}`];
}

function mismatch(problems: readonly string[], source: string): AnemoneError {
  return new AnemoneError({
    code: 'checkpoint.mismatch',
    message: 'the checkpoint is of another architecture',
    lines: problems.map((problem) => `  ${problem}`),
    position: { file: source },
    hint: 'compare the model sections of the two configs',
  });
}
