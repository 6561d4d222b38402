// All kernels the compiler knows, registered with tfjs for the trace backend.
import { AnemoneError } from '../../../errors/index.js';
import { tf } from '../../tf.js';
import { callSite, TRACE_BACKEND, type TraceBackend } from '../trace-backend.js';
import { convolutionKernels } from './convolution.js';
import { elementwiseKernels } from './elementwise.js';
import type { Inputs, KernelTable } from './kernel.js';
import { matmulKernels } from './matmul.js';
import { reductionKernels } from './reduction.js';
import { shapeKernels } from './shape.js';

export const kernels: KernelTable = {
  ...elementwiseKernels,
  ...shapeKernels,
  ...reductionKernels,
  ...matmulKernels,
  ...convolutionKernels,
};

export function registerKernels(backend: TraceBackend): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    tf.registerKernel({
      kernelName,
      backendName: TRACE_BACKEND,
      kernelFunc: ({ inputs, attrs }) => {
        try {
          return kernel(inputs as Inputs, attrs ?? {}, { backend, graph: backend.current });
        } catch (cause) {
          if (cause instanceof AnemoneError) throw cause;
          throw new AnemoneError({
            code: 'engine.kernel',
            message: `op ${kernelName} cannot be compiled: ${(cause as Error).message} (${callSite()})`,
            cause,
          });
        }
      },
    });
  }
}
