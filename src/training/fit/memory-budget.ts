// Training within a given amount of memory: as few layers as possible are computed again for the gradient.
import { AnemoneError } from '../../errors/index.js';
import { type LayerCheckpoints, type Module, undecidedCheckpoints } from '../../nn/index.js';
import type { MemoryCheck } from './memory-check.js';
import { spokenBytes } from './memory-text.js';
import type { StepPrograms } from './step-programs.js';

export interface MemoryBudget {
  /** Of the whole process. */
  readonly bytes: number;
  readonly module: Module;
  readonly memory: Pick<MemoryCheck, 'plan'>;
  readonly programs: Pick<StepPrograms, 'forget'>;
  readonly say: (line: string) => void;
  /** Where the budget stands in the config. */
  readonly position?: AnemoneError['position'];
}

/**
 * Chooses the layers. Where the keys of a stack say what is computed again, that stays so.
 * @throws AnemoneError `trainer.memory-budget` when all of them are not enough, with the least that is
 */
export function keepWithin({ bytes, module, memory, programs, say, position }: MemoryBudget): void {
  const stacks = undecidedCheckpoints(module);
  const layers = stacks.reduce((sum, { layerCount }) => sum + layerCount, 0);
  const takenWith = (count: number): number | undefined => {
    useLayers(stacks, count);
    programs.forget();
    return memory.plan()?.totalBytes;
  };
  const without = takenWith(0);
  if (without === undefined) {
    say('trainer.memory_budget has no effect: this engine or data cannot tell what a step takes');
    return;
  }
  const fits = (taken: number | undefined): boolean => taken !== undefined && taken <= bytes;
  let count = 0;
  let taken = without;
  if (!fits(without)) {
    const least = takenWith(layers) ?? without;
    if (!fits(least)) throw tooLittle(bytes, least, layers, position);
    [count, taken] = [layers, least];
    for (let low = 1, high = layers; low < high; ) {
      const middle = (low + high) >> 1;
      const there = takenWith(middle);
      if (fits(there)) [high, count, taken] = [middle, middle, there ?? taken];
      else low = middle + 1;
    }
    takenWith(count);
  }
  say(
    `memory budget ${spokenBytes(bytes)}: ${count} of ${layers} layers are computed again, the run takes about ${spokenBytes(taken)}`,
  );
}

/** The first `count` layers of all stacks together. */
function useLayers(stacks: readonly LayerCheckpoints[], count: number): void {
  let left = count;
  for (const stack of stacks) {
    stack.use(left);
    left -= Math.min(left, stack.layerCount);
  }
}

function tooLittle(
  bytes: number,
  least: number,
  layers: number,
  position: AnemoneError['position'],
): AnemoneError {
  const how =
    layers > 0 ? `with all ${layers} layers computed again` : 'and there are no layers to compute again';
  return new AnemoneError({
    code: 'trainer.memory-budget',
    path: 'trainer.memory_budget',
    position,
    message: `${spokenBytes(bytes)} are too little: the run takes about ${spokenBytes(least)} at least, ${how}`,
    hint: `give it ${Math.ceil(least / 2 ** 20)}MiB, or use smaller batches; anemone train --dry-run says what takes the memory`,
  });
}
