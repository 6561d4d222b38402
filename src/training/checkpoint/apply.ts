// Puts a checkpoint's tensors into states, or says how the two differ.
import type { Engine, HostData, State } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { SafeTensor } from '../../formats/index.js';

/**
 * Writes every tensor into the state of its name.
 * @throws AnemoneError `checkpoint.mismatch` listing missing, unexpected and differently shaped tensors;
 *   nothing is written then
 */
export async function applyTensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  states: readonly State[],
  engine: Pick<Engine, 'write'>,
  source: string,
): Promise<void> {
  const problems = differences(tensors, states);
  if (problems.length > 0) throw mismatch(problems, source);
  for (const state of states)
    await engine.write(state, (tensors.get(state.name) as SafeTensor).data as HostData);
}

function differences(tensors: ReadonlyMap<string, SafeTensor>, states: readonly State[]): string[] {
  const wanted = new Set(states.map((state) => state.name));
  const missing = states.filter((state) => !tensors.has(state.name)).map((state) => state.name);
  const unexpected = [...tensors.keys()].filter((name) => !wanted.has(name));
  const reshaped = states
    .filter(
      (state) => tensors.has(state.name) && tensors.get(state.name)?.shape.join() !== state.shape.join(),
    )
    .map((state) => `${state.name} is [${tensors.get(state.name)?.shape}], the model has [${state.shape}]`);
  return [
    ...listed('missing in the checkpoint', missing),
    ...listed('unknown to the model', unexpected),
    ...listed('of another shape', reshaped),
  ];
}

const SHOWN = 8;

function listed(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : '';
  return [`${names.length} ${what}: ${names.slice(0, SHOWN).join(', ')}${rest}`];
}

function mismatch(problems: readonly string[], source: string): AnemoneError {
  return new AnemoneError({
    code: 'checkpoint.mismatch',
    message: `the checkpoint is of another architecture\n  ${problems.join('\n  ')}\n `,
    position: { file: source },
    hint: 'compare the model sections of the two configs',
  });
}
