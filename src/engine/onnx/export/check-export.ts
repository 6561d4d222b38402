// Runs an exported model as another program would, through ONNX Runtime's public interface, and compares it with the
// function it was made of.
import type * as ort from 'onnxruntime-common';
import { AnemoneError } from '../../../errors/index.js';
import type { Engine, HostTensors } from '../../engine.js';
import { toOrt } from '../binding-session.js';
import { onnxruntime } from '../onnxruntime.js';
import type { ExportSpec } from './export-program.js';

/** Of the largest value; far above rounding, far below what a wrong size or table does. */
const TOLERANCE = 1e-3;

/**
 * Compares outputs for each of `samples`, which should have other sizes than the spec's examples.
 * @param model the bytes, or the path of a model with weights beside it
 * @throws AnemoneError `export.check` naming the output and the sizes
 */
export async function checkExport(
  model: Uint8Array | string,
  spec: ExportSpec,
  engine: Engine,
  samples: readonly HostTensors[],
): Promise<void> {
  const options = { logSeverityLevel: 3 } as const;
  const { InferenceSession } = onnxruntime();
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options));
  const program = engine.compile(`check ${spec.name}`, spec.fn);
  try {
    for (const sample of samples) {
      const expected = await program.run(sample);
      const shapes = Object.entries(sample).map(([key, { shape }]) => `${key} [${shape.join()}]`);
      const fail = (message: string, cause?: unknown): never => {
        const where = `with ${shapes.join(', ')}`;
        throw new AnemoneError({
          code: 'export.check',
          path: spec.name,
          message: `${message} ${where}`,
          cause,
        });
      };
      const results = await session.run(feeds(spec, sample)).catch((cause: Error) => {
        return fail(`the exported model fails (${cause.message})`, cause);
      });
      for (const [key, { shape, data }] of Object.entries(expected)) {
        const result = results[key];
        if (result?.dims.join() !== shape.join()) {
          fail(`output ${key} has shape [${result?.dims.join()}] instead of [${shape.join()}]`);
        }
        const difference = largestDifference(result.data as ArrayLike<number>, data);
        if (!(difference <= TOLERANCE)) fail(`output ${key} differs by ${difference} of its largest value`);
      }
    }
  } finally {
    program.dispose();
    await session.release();
  }
}

function feeds({ inputs }: ExportSpec, sample: HostTensors): Record<string, ort.Tensor> {
  return Object.fromEntries(
    Object.entries(sample).map(([key, value]) => {
      if (!inputs[key].int64) return [key, toOrt(value)];
      return [key, new (onnxruntime().Tensor)('int64', BigInt64Array.from(value.data, BigInt), value.shape)];
    }),
  );
}

/** Relative to the largest of `b`; 0 for two empty lists. */
function largestDifference(a: ArrayLike<number | bigint>, b: ArrayLike<number>): number {
  let [difference, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const d = Math.abs(Number(a[i]) - b[i]);
    if (Number.isNaN(d)) return d;
    difference = Math.max(difference, d);
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return difference === 0 ? 0 : difference / largest;
}
