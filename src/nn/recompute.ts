// Activations that are computed again in the backward pass instead of being kept: gradient checkpointing of any part of a
// model (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").
import { type ProgramState, recompute, type Tensor } from '../engine/index.js';
import { isWorthRecomputing } from './layers/custom-gradient.js';
import { Parameter } from './parameter.js';
import type { Pass } from './pass.js';

/** A part of a model: it computes tensors from tensors. */
export type CheckpointedPart = (inputs: Tensor[], pass: Pass) => Tensor[];

/**
 * `part(inputs)`, of which a training pass keeps the inputs only: the backward pass runs the part once more. Gradients of
 * what has one output are those of plain differentiation bit for bit, dropout included; running statistics move once.
 * @param inputs what the part takes that is computed before it; masks and positions may come by closure
 */
export function checkpoint(part: CheckpointedPart, inputs: readonly Tensor[], pass: Pass): Tensor[] {
  if (!pass.training) return part([...inputs], pass);
  let outputCount = 0;
  const results = recompute(
    (xs, again) => {
      const costs: Tensor[] = [];
      const outputs = part(xs, partPass(pass, costs, again));
      outputCount = outputs.length;
      return [...outputs, ...costs];
    },
    inputs,
    isTrained,
  );
  for (const cost of results.slice(outputCount)) pass.cost?.(cost);
  return results.slice(0, outputCount);
}

/**
 * `compute(x, x)`, a block of a layer, to whose second argument it adds what it makes of the first: checkpointed where the pass says
 * so. Its last product is not computed again, as no gradient asks for a sum.
 */
export function block(
  x: Tensor,
  pass: Pass,
  compute: (x: Tensor, residual: Tensor, pass: Pass) => Tensor,
): Tensor {
  if (!pass.recomputesBlocks) return compute(x, x, pass);
  // In the order in which gradients are added up where nothing is computed again, so that they come out with the same bits.
  return checkpoint(([residual, x], pass) => [compute(x, residual, pass)], [x, x], pass)[0];
}

/**
 * `part(inputs)` for a part that is cheap to compute again up to its last product, and keeps what is larger than its inputs:
 * an activation and its dropout before a linear map. Checkpointed where the engine orders by dependence and the inputs
 * are not small; else nothing is special about it. The result is the same.
 * @param size numbers in the largest tensor that need not be kept; default that of the inputs
 */
export function recomputeCheaply(
  part: (inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  pass: Pass,
  size = Math.max(...inputs.map((input) => input.size)),
): Tensor {
  if (!pass.training || !isWorthRecomputing(size)) return part([...inputs]);
  return recompute((xs) => [part(xs)], inputs, isTrained)[0];
}

/** What a part adds to the loss is an output of it; what is tapped a second time says so. */
function partPass(pass: Pass, costs: Tensor[], again: boolean): Pass {
  return {
    ...pass,
    tap: (path, x) => pass.tap(path, x, again),
    ...(pass.cost ? { cost: (value: Tensor) => void costs.push(value) } : {}),
  };
}

function isTrained(state: ProgramState): boolean {
  return state instanceof Parameter && state.trainable;
}
