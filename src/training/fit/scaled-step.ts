// What a step means for the loss scale: one that overflows changes nothing but the scale.
import type { HostTensors } from '../../engine/index.js';
import type { StepResult } from '../step.js';
import type { LossScale } from './loss-scale.js';

/** The result of a step whose loss was scaled; the scale is then that of the next step. */
export function afterScaledStep(result: StepResult, lossScale: LossScale): StepResult {
  const { scale } = lossScale;
  const logs = { ...result.logs, loss_scale: scale };
  if (!lossScale.isDynamic) return { ...result, logs };
  if (result.committed) lossScale.succeeded();
  if (result.committed || result.refused.length === 0) return { ...result, logs };
  // A number that is not finite in the data is so at any scale.
  if (result.refused.some(({ batch, hasFiniteData }) => !(hasFiniteData ?? areFinite(batch.inputs))))
    return { ...result, logs };
  const isLast = lossScale.overflowed(result.loss);
  const { scale: next, skipped } = lossScale.state();
  const overflow = { steps: result.refused, scale, next, skipped, isLast };
  return { ...result, logs, refused: [], overflow };
}

/** Whether the numbers of a batch are. */
export function areFinite(inputs: HostTensors): boolean {
  return Object.values(inputs).every(({ dtype, data }) => dtype !== 'float32' || data.every(Number.isFinite));
}
