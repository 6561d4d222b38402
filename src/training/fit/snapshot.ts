// What a checkpoint made now holds of a run.
import type { State } from '../../engine/index.js';
import { dataIdentity } from '../checkpoint/changes.js';
import type { CheckpointContent, CheckpointState, JsonValue } from '../checkpoint/content.js';
import { weightStates } from '../checkpoint/weights.js';
import type { FitParts } from './fit-parts.js';

/** What the run knows beyond its parts. */
export type RunState = Pick<
  CheckpointState,
  'progress' | 'metrics' | 'interval' | 'logged' | 'unlogged' | 'nonfinite'
>;

export async function snapshot(parts: FitParts, state: RunState): Promise<CheckpointContent> {
  const { model, engine, optimizer, scheduler, callbacks, lossScale } = parts;
  return {
    state: {
      ...state,
      ...(lossScale && { lossScale: lossScale.state() }),
      seed: parts.seed,
      engine: engine.name,
      optimizer: { name: optimizer.name, groups: optimizer.groups.map((group) => group.name) },
      scheduler: { name: scheduler.name, state: scheduler.state() },
      callbacks: statesOf(parts),
      data: dataIdentity(parts.source, state.progress.epoch),
    },
    groups: [
      { name: 'weights', states: weightStates(model) },
      { name: 'optimizer', states: optimizer.slots },
      ...callbacks.map((callback) => group(callback.name, callback.tensors(parts))).filter(hasStates),
    ],
    config: parts.config,
    artifacts: await model.artifacts(),
  };
}

function statesOf({ callbacks }: FitParts): Readonly<Record<string, JsonValue>> {
  const states = callbacks.map((callback) => [callback.name, callback.state()] as const);
  return Object.fromEntries(states.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));
}

const group = (name: string, states: readonly State[]) => ({ name, states });
const hasStates = ({ states }: { readonly states: readonly State[] }): boolean => states.length > 0;
