// Registers our gradients with tfjs-core, whose Node build comes without any. A kernel with no entry here
// can still run forward; differentiating it is an error that names it.
import { AnemoneError } from '../../errors/index.js';
import { type Tensor, tf } from '../tf.js';
import { convolutionGradients } from './convolution.js';
import { elementwiseGradients } from './elementwise.js';
import type { Attrs, Gradient } from './gradient.js';
import { reductionGradients } from './reduction.js';
import { shapeGradients } from './shape.js';

const gradients: readonly Gradient[] = [
  ...elementwiseGradients,
  ...shapeGradients,
  ...reductionGradients,
  ...convolutionGradients,
];

/** Kernels whose results carry no gradient (comparisons, indices), with their inputs' names: the gradient is zero. */
const nonDifferentiable: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    [
      'Equal',
      'NotEqual',
      'Greater',
      'GreaterEqual',
      'Less',
      'LessEqual',
      'LogicalAnd',
      'LogicalOr',
      'FloorDiv',
      'Mod',
    ].map((kernel) => [kernel, ['a', 'b']]),
  ),
  ...Object.fromEntries(
    ['LogicalNot', 'ArgMax', 'ArgMin', 'IsFinite', 'IsNan', 'IsInf', 'Any', 'All'].map((kernel) => [
      kernel,
      ['x'],
    ]),
  ),
  OneHot: ['indices'],
};
/** Kernels without tensor inputs. */
const constants = ['Range', 'Fill'];

let registered = false;

/** Idempotent; every engine calls it. `again`: after another library has replaced entries by its own. */
export function registerGradients(again = false): void {
  if (registered && !again) return;
  registered = true;
  for (const gradient of gradients) register(gradient);
  for (const [kernel, inputs] of Object.entries(nonDifferentiable)) {
    const zero = (x: Tensor) => tf.zeros(x.shape, 'float32');
    register({
      kernel,
      inputs,
      backward: (_dy, saved) => Object.fromEntries(inputs.map((name, i) => [name, () => zero(saved[i])])),
    });
  }
}

export function gradientKernels(): string[] {
  return gradients.map((gradient) => gradient.kernel);
}

export function isNonDifferentiable(kernel: string): boolean {
  return kernel in nonDifferentiable || constants.includes(kernel);
}

function register(gradient: Gradient): void {
  if (tf.getGradient(gradient.kernel)) tf.unregisterGradient(gradient.kernel);
  tf.registerGradient({
    kernelName: gradient.kernel,
    inputsToSave: [...(gradient.inputs ?? [])],
    outputsToSave: gradient.output ? [true] : [],
    saveAllInputs: gradient.saveAllInputs ?? false,
    gradFunc: (dy: Tensor | Tensor[], saved: Tensor[], attrs: unknown) => {
      const dys = Array.isArray(dy) ? dy : [dy];
      try {
        return gradient.backward(dys[0], saved, attrs as Attrs, dys);
      } catch (cause) {
        throw new AnemoneError({
          code: 'engine.gradient',
          path: gradient.kernel,
          message: String((cause as Error).message),
          cause,
        });
      }
    },
  } as Parameters<typeof tf.registerGradient>[0]);
}
