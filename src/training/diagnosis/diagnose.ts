// Runs one training step again with a probe in every module and finds the first thing that is not finite.
import { type Engine, type HostTensors, type Tensor, tf, valueAndGrads } from '../../engine/index.js';
import type { TrainableModel } from '../../model/index.js';
import type { Parameter } from '../../nn/index.js';
import type { CounterRandom } from '../../random/index.js';
import { type Measurement, measurementsOf, Probe } from './probe.js';

/** What a repeated step computed, module by module. */
export interface Diagnosis {
  /** All measurements in the order of computation: inputs, weights, outputs, loss, gradients. */
  readonly measurements: readonly Measurement[];
  /** The first of them that is not finite; undefined if all are. */
  readonly first: Measurement | undefined;
  readonly loss: number;
}

/**
 * Repeats the forward and backward pass of a batch. Changes nothing: the program commits no state.
 * @param lossScale what the loss is multiplied by while it is differentiated; the gradients stay so
 */
export async function diagnose(
  model: TrainableModel,
  engine: Engine,
  inputs: HostTensors,
  random: CounterRandom,
  lossScale = 1,
): Promise<Diagnosis> {
  const parameters = [...model.module.parameters()].filter((parameter) => parameter.trainable);
  const program = engine.compile('diagnosis', (batch) => {
    const probe = new Probe();
    for (const [name, tensor] of Object.entries(batch)) probe.record('input', name, tensor);
    for (const parameter of parameters) probe.record('weight', parameter.name, parameter.tensor());
    let unscaledLoss: Tensor | undefined;
    const { grads } = valueAndGrads(() => {
      const { loss } = model.trainingStep(batch, probe.pass());
      probe.record('loss', 'loss', loss);
      unscaledLoss = tf.keep(tf.clone(loss));
      return lossScale === 1 ? loss : tf.mul(loss, tf.scalar(lossScale));
    }, parameters);
    recordGradients(probe, parameters, grads);
    const loss = tf.clone(unscaledLoss as unknown as Tensor);
    (unscaledLoss as unknown as Tensor).dispose();
    return { ...probe.outputs(), loss };
  });
  try {
    const results = await program.run(inputs, { random, commitIf: () => false });
    const measurements = measurementsOf(results);
    const first = measurements.find(({ nonfinite }) => nonfinite > 0);
    return { measurements, first, loss: results['loss'].data[0] };
  } finally {
    program.dispose();
  }
}

function recordGradients(probe: Probe, parameters: readonly Parameter[], grads: readonly Tensor[]): void {
  // The gradients of later layers come first, as the backward pass meets them.
  for (let i = parameters.length - 1; i >= 0; i--)
    probe.record('weight gradient', parameters[i].name, grads[i]);
}
