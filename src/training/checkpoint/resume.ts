// Going on from a checkpoint: what changed since is told, and one that turns out to be damaged is named and the one
// before it is used.
import { AnemoneError } from '../../errors/index.js';
import { changesSince, type RunIdentity } from './changes.js';
import type { Checkpoint } from './reader.js';
import { type RestoredParts, restoreRun } from './restore.js';

export interface Resumption {
  readonly now: RunIdentity;
  readonly parts: RestoredParts;
  readonly say: (text: string) => void;
}

/**
 * Restores the first of the checkpoints that is whole, and returns it; undefined when there are none.
 * @throws AnemoneError `checkpoint.damaged` of the last one, and whatever `changesSince` and `restoreRun` refuse
 */
export async function resume(
  checkpoints: readonly Checkpoint[],
  { now, parts, say }: Resumption,
): Promise<Checkpoint | undefined> {
  for (const [i, checkpoint] of checkpoints.entries()) {
    try {
      await checkpoint.verify();
      const changes = await changesSince(checkpoint, now);
      await orSaying(changes, say, () => restoreRun(checkpoint, parts));
      say(listed(`resumed from ${checkpoint.path} (step ${checkpoint.state.progress.step})`, changes));
      return checkpoint;
    } catch (error) {
      const next = checkpoints[i + 1];
      const isDamaged = error instanceof AnemoneError && error.code === 'checkpoint.damaged';
      // Another seed would be another run's: the data is open already.
      if (!isDamaged || next?.state.seed !== checkpoint.state.seed) throw error;
      say(`${error.message}; ${next.path} is used`);
    }
  }
  return undefined;
}

/** Lines of differences that are shown. */
const MOST_LINES = 30;

function listed(head: string, changes: readonly string[]): string {
  if (changes.length === 0) return head;
  const more = changes.length - MOST_LINES;
  const lines = changes.slice(0, MOST_LINES).map((change) => `  ${change}`);
  if (more > 0) lines.push(`  and ${more} more`);
  return [`${head}; changed since then:`, ...lines].join('\n');
}

/** What changed often says why a checkpoint does not fit. */
async function orSaying(
  changes: readonly string[],
  say: (text: string) => void,
  restore: () => Promise<void>,
): Promise<void> {
  try {
    await restore();
  } catch (error) {
    if (changes.length > 0) say(listed('the checkpoint cannot be used', changes));
    throw error;
  }
}
