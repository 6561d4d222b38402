// Will the largest batch fit? Asked before the first step, because a transducer that runs out of memory does so in the middle
// of an epoch, when the longest utterances come; asked again before a step of other shapes is compiled; and if memory is
// refused in spite of it, the plan explains why. Evaluation is not asked.
import type { TensorSpec } from '../../engine/index.js';
import { AnemoneError, isOutOfMemory } from '../../errors/index.js';
import type { Batch, BatchOutline, BatchSource } from '../../model/index.js';
import { type Module, undecidedCheckpoints } from '../../nn/index.js';
import { type FreeMemory, freeMemory } from '../system/free-memory.js';
import { type Lever, leverLines, leversOf, type OtherPlans } from './memory-levers.js';
import { fitsInto, keptBytes, type MemoryPlan, memoryItems, totalOf, wantedBytes } from './memory-plan.js';
import { freeText, moduleTable, planSentence, planTable, spokenBytes } from './memory-text.js';
import type { StepPrograms } from './step-programs.js';

/** `true` ends a run that cannot fit, `warn` says so and goes on. */
export type MemoryCheckMode = boolean | 'warn';

export interface MemoryCheckParts {
  readonly source: BatchSource;
  readonly programs: Pick<StepPrograms, 'memoryOf' | 'forget'>;
  readonly module: Module;
  readonly mode: MemoryCheckMode;
  /** Whether gradients of several batches are added up before an update. */
  readonly accumulates: boolean;
  readonly say: (line: string) => void;
  /** What can still be had. Default: the system's figure. */
  readonly free?: () => FreeMemory;
  /** Bytes of the process now. Default: its resident memory. */
  readonly taken?: () => number;
}

/** A batch whose shapes are known. */
type Shapes = Readonly<Record<string, TensorSpec>>;

export class MemoryCheck {
  /** Of the process before anything of the run was made. */
  private readonly processBytes: number;
  private readonly outline: BatchOutline | undefined;
  private readonly seen = new Set<string>();
  /** What steps of other shapes keep: they stay compiled. */
  private earlierBytes = 0;

  constructor(private readonly parts: MemoryCheckParts) {
    this.processBytes = this.takenBytes();
    this.outline = parts.source.largestBatch?.();
  }

  /** The plan of the largest batch; undefined where the source or the engine cannot tell. */
  plan(): MemoryPlan | undefined {
    const { outline, parts } = this;
    return outline && this.planOf(outline.inputs, outline.text, parts.accumulates);
  }

  /** What would help. */
  levers(plan: MemoryPlan): readonly Lever[] {
    const { outline, parts } = this;
    if (!outline) return [];
    const withSize = (size: number, accumulates: boolean) =>
      this.planOf(outline.inputsFor(size), `${size}`, accumulates);
    const withRecomputation = () => this.recomputed(outline);
    return leversOf(plan, outline, { withSize, withRecomputation, accumulates: parts.accumulates });
  }

  /** The largest batch with the layers of all stacks computed again. The model is as before afterwards. */
  private recomputed(outline: BatchOutline): ReturnType<NonNullable<OtherPlans['withRecomputation']>> {
    const { programs, module, accumulates } = this.parts;
    const stacks = undecidedCheckpoints(module).filter(
      ({ recomputed, layerCount }) => recomputed < layerCount,
    );
    if (stacks.length === 0) return undefined;
    const before = stacks.map(({ recomputed }) => recomputed);
    try {
      for (const stack of stacks) stack.use(stack.layerCount);
      programs.forget();
      const plan = this.planOf(outline.inputs, outline.text, accumulates);
      return plan && { plan, sections: stacks.map(({ section }) => section) };
    } finally {
      for (const [i, stack] of stacks.entries()) stack.use(before[i]);
      programs.forget();
    }
  }

  /**
   * Says what the largest batch takes, or ends the run.
   * @throws AnemoneError `trainer.memory` when it cannot fit, with what would
   */
  beforeRun(): void {
    if (this.parts.mode === false) return;
    const plan = this.plan();
    if (!plan || !this.outline) return;
    this.seen.add(signatureOf(this.outline.inputs));
    if (!fitsInto(plan)) this.refuse(plan);
    else this.parts.say(`${plan.source}: ${planSentence(plan)}`);
    this.earlierBytes += keptBytes(plan);
  }

  /**
   * The same for a batch of shapes that have not been checked, before they are compiled.
   * @throws AnemoneError `trainer.memory`
   */
  beforeBatch({ inputs, size }: Batch): void {
    if (this.parts.mode === false) return;
    const signature = signatureOf(inputs);
    if (this.seen.has(signature)) return;
    this.seen.add(signature);
    const plan = this.planOf(inputs, textOf(inputs, size), this.parts.accumulates);
    if (!plan) return;
    if (!fitsInto(plan)) this.refuse(plan);
    this.earlierBytes += keptBytes(plan);
  }

  /** The error of a step that got no memory, with what it had; other errors as they are. */
  explained(error: unknown, { inputs, size }: Batch): unknown {
    if (!isOutOfMemory(error)) return error;
    const plan = this.planOf(inputs, textOf(inputs, size), this.parts.accumulates);
    if (!plan) return error;
    return new AnemoneError({
      code: 'engine.out-of-memory',
      ...this.place(),
      message: `there was not enough memory for a step (${plan.batch}), which takes about ${spokenBytes(plan.totalBytes)} in all; ${freeText(plan)}`,
      lines: this.explanation(plan),
      cause: error,
    });
  }

  /** @throws AnemoneError `trainer.memory`, unless the config only wants to be warned */
  private refuse(plan: MemoryPlan): void {
    const message = planSentence(plan).replace(', ', ', but only ');
    if (this.parts.mode === 'warn') {
      this.parts.say(`warning: ${plan.source}: ${message}; the system may end the run`);
      return;
    }
    throw new AnemoneError({
      code: 'trainer.memory',
      ...this.place(),
      message,
      lines: this.explanation(plan),
      hint: 'trainer.memory_check: warn tries it all the same',
      details: { wantedBytes: wantedBytes(plan), freeBytes: plan.free.bytes },
    });
  }

  private explanation(plan: MemoryPlan): readonly string[] {
    const help = leverLines(this.levers(plan));
    return [
      'what takes it:',
      ...planTable(plan),
      'what the step keeps:',
      ...moduleTable(plan),
      ...(help.length > 0 ? ['what would help:', ...help] : []),
    ];
  }

  private planOf(inputs: Shapes, batch: string, accumulates: boolean): MemoryPlan | undefined {
    const { module, programs, source } = this.parts;
    const step = programs.memoryOf(inputs, accumulates);
    if (!step) return undefined;
    const loader = { threads: 0, batches: 0, bytes: 0, ...this.outline?.loader };
    const { earlierBytes, processBytes } = this;
    const items = memoryItems({ module, step, loader, processBytes, earlierBytes });
    return {
      source: source.name,
      batch,
      items,
      totalBytes: totalOf(items),
      takenBytes: this.takenBytes(),
      alive: step.alive,
      free: (this.parts.free ?? freeMemory)(),
    };
  }

  /** The key that says how large batches are, where the config has it. */
  private place(): Pick<AnemoneError, 'path' | 'position'> {
    const { key, position } = this.outline ?? {};
    const { name } = this.parts.source;
    return { path: key === undefined ? name : `model.${name}.${key}`, position };
  }

  private takenBytes(): number {
    return this.parts.taken?.() ?? process.memoryUsage.rss();
  }
}

function signatureOf(inputs: Shapes): string {
  return Object.entries(inputs)
    .map(([name, { dtype, shape }]) => `${name}:${dtype}[${shape.join()}]`)
    .sort()
    .join(';');
}

/** Shapes of the largest input. */
function textOf(inputs: Shapes, size: number): string {
  const shapes = Object.values(inputs).map(({ shape }) => shape);
  const largest = shapes.reduce(
    (best, shape) => (volume(shape) > volume(best) ? shape : best),
    [] as readonly number[],
  );
  return `${size} examples, [${largest.join(', ')}]`;
}

function volume(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
