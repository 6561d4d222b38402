// What would make a step smaller, and by how much: computed by tracing the step as it would be, where it can be; the rest is
// an estimate from what is alive, and says so.
import type { BatchOutline } from '../../model/index.js';
import { memoryByModule, repeatedLayers } from './memory-modules.js';
import { fitsInto, type MemoryPlan } from './memory-plan.js';
import { spokenBytes } from './memory-text.js';

/** A change of the config, and what it saves. */
export interface Lever {
  readonly text: string;
  readonly bytes: number;
}

/** Plans of other batches; undefined where there can be none. */
export interface OtherPlans {
  /** The plan with so many examples in the largest batch. */
  withSize(size: number, accumulates: boolean): MemoryPlan | undefined;
  readonly accumulates: boolean;
  /** The plan with the layers of all stacks computed again, and the sections of the stacks; undefined: there are none. */
  withRecomputation?(): { readonly plan: MemoryPlan; readonly sections: readonly string[] } | undefined;
}

/** What helps a plan that does not fit, or is to be smaller, the simplest first. */
export function leversOf(plan: MemoryPlan, outline: BatchOutline, others: OtherPlans): readonly Lever[] {
  if (fitsInto(plan)) {
    return [
      ...smallerBatch(plan, outline, others, Math.floor(outline.size / 2)),
      ...checkpointing(plan, others),
    ];
  }
  const size = largestFitting(plan, outline, others);
  if (size === 0) return [...checkpointing(plan, others), { text: outline.advice(0), bytes: 0 }];
  return [...smallerBatch(plan, outline, others, size), ...checkpointing(plan, others)];
}

/** The most examples of the same length that fit; 0 when not even one does. */
export function largestFitting(plan: MemoryPlan, outline: BatchOutline, others: OtherPlans): number {
  const isFitting = (size: number): boolean => {
    const other = others.withSize(size, others.accumulates);
    return other !== undefined && fitsInto({ ...other, free: plan.free });
  };
  let fits = 0;
  let tooMany = outline.size;
  while (tooMany - fits > 1) {
    const size = Math.floor((fits + tooMany) / 2);
    if (isFitting(size)) fits = size;
    else tooMany = size;
  }
  return fits;
}

function smallerBatch(
  plan: MemoryPlan,
  outline: BatchOutline,
  { withSize, accumulates }: OtherPlans,
  size: number,
): readonly Lever[] {
  if (size < 1) return [];
  const alone = withSize(size, accumulates);
  const summed = withSize(size, true);
  if (!alone || !summed) return [];
  const setting = outline.setting?.(size) ?? `batches of ${size}`;
  const times = Math.ceil(outline.size / size);
  const levers = [{ text: `smaller batches, ${setting}`, bytes: plan.totalBytes - alone.totalBytes }];
  if (accumulates) return levers;
  return [
    ...levers,
    {
      text: `the same with trainer.accumulate_grad_batches: ${times}, so that a step sees as many`,
      bytes: plan.totalBytes - summed.totalBytes,
    },
  ];
}

/** Of each layer only its input is kept, and one layer at a time is computed again. */
function checkpointing(plan: MemoryPlan, { withRecomputation }: OtherPlans): readonly Lever[] {
  const recomputed = withRecomputation?.();
  if (!recomputed) return ofRepeatedLayers(plan);
  const bytes = plan.totalBytes - recomputed.plan.totalBytes;
  if (bytes <= 0) return [];
  const keys = recomputed.sections.map(
    (section) => `model.${section}.activations_checkpoint_granularity: full`,
  );
  return [{ text: `gradient checkpointing, ${keys.join(', ')}`, bytes }];
}

/** The same where the model's stacks are no `LayerCheckpoints`: an estimate from what its layers keep. */
function ofRepeatedLayers({ alive }: MemoryPlan): readonly Lever[] {
  const layers = repeatedLayers(memoryByModule(alive));
  if (!layers) return [];
  const { path, count, bytes } = layers;
  const inside = alive.filter(({ part }) => part.replace(/(^|\.)\d+(?=\.|$)/g, '$1*').startsWith(path));
  const saved = bytes - bytes / count - count * usualSize(inside);
  if (saved <= 0) return [];
  return [
    { text: `gradient checkpointing of ${path} (estimated), by LayerCheckpoints in the code`, bytes: saved },
  ];
}

/** The median size of values: in a layer most have the shape of its input. */
function usualSize(values: MemoryPlan['alive']): number {
  const sizes = values.map(({ bytes, count }) => ({ size: bytes / count, count }));
  sizes.sort((a, b) => a.size - b.size);
  const half = sizes.reduce((sum, { count }) => sum + count, 0) / 2;
  let passed = 0;
  for (const { size, count } of sizes) {
    passed += count;
    if (passed >= half) return size;
  }
  return 0;
}

/** Lines that say what helps, each with what it saves. */
export function leverLines(levers: readonly Lever[]): readonly string[] {
  return levers.map(({ text, bytes }) => (bytes > 0 ? `  ${spokenBytes(bytes)} less: ${text}` : `  ${text}`));
}
