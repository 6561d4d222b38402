// Puts a checkpoint's tensors into states, or says how the two differ.
import type { Engine, State } from '../../engine/index.js';
import type { SafeTensor } from '../../formats/index.js';
import { loadWeights } from '../../nn/index.js';

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
  const readTensor = async (name: string) => tensors.get(name) as SafeTensor;
  await loadWeights(states, { name: source, entries: tensors, read: readTensor }, engine);
}
