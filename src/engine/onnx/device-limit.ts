// What is too large for a buffer of the device: the device would refuse the buffer when it is made, and all that reads it later.
import { AnemoneError } from '../../errors/index.js';
import { sizeOf, type TensorSpec } from '../tensors.js';
import type { OnnxGraph, OnnxValue } from './onnx-graph.js';
import { bytesOfTensor } from './run-tensor.js';

/** @param name of what it is @throws AnemoneError `engine.device-limit` */
export function checkFits(spec: TensorSpec, name: string, largestTensor: number): void {
  const bytes = bytesOfTensor(spec);
  if (bytes <= largestTensor) return;
  throw new AnemoneError({
    code: 'engine.device-limit',
    message: `${name} [${spec.shape.join(', ')}] has ${sizeOf(spec.shape)} numbers, ${bytes} bytes; a buffer of the device holds ${largestTensor}`,
    hint: 'use fewer or shorter examples in a batch (batch_size, batch_duration, max_duration), or provider cpu',
    details: { bytes, largestTensor },
  });
}

/** All values of a graph whose shapes are known. @throws AnemoneError `engine.device-limit` for the largest */
export function checkGraphFits(
  { nodes, inputs }: OnnxGraph,
  describe: (name: string) => OnnxValue | undefined,
  largestTensor: number,
): void {
  let largest: { readonly value: OnnxValue; readonly name: string } | undefined;
  const weigh = (value: OnnxValue | undefined, name: string) => {
    if (value && (!largest || bytesOfTensor(value) > bytesOfTensor(largest.value))) largest = { value, name };
  };
  for (const input of inputs) weigh(input, 'an input');
  for (const { op, outputs, part } of nodes)
    for (const output of outputs) weigh(describe(output), `a value of ${part ? `${part} (${op})` : op}`);
  if (largest) checkFits(largest.value, largest.name, largestTensor);
}
