// Costs that modules on the way ask for, such as an adapter's, beside the loss of a training step.
import { type Tensor, tf } from '../../engine/index.js';
import { lossOf, type StepOutput } from '../../model/index.js';
import { addLosses, type Pass, weightedLoss } from '../../nn/index.js';

/** Runs a training step's forward, and adds to its loss what modules on the way ask for. */
export function withCosts(pass: Pass, step: (pass: Pass) => StepOutput): StepOutput {
  const costs: Tensor[] = [];
  const output = step({ ...pass, cost: (value) => void costs.push(value) });
  if (costs.length === 0) return output;
  const value = costs.reduce((sum, cost) => tf.add(sum, cost));
  const total = weightedLoss(value, 'examples');
  const loss = addLosses(lossOf(output), total);
  return {
    ...output,
    loss: loss.value,
    logs: { ...output.logs, adapter_loss: total.value },
    terms: { ...output.terms, loss: loss.terms, adapter_loss: total.terms },
  };
}
