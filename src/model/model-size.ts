// Refuses a model that no machine of this size can hold, before a number of it exists: what a mistyped width asks for
// would otherwise end the process somewhere in the engine. Whether a training step fits is the trainer's to say.
import { totalmem } from 'node:os';
import type { SourcePosition } from '../errors/index.js';
import { AnemoneError } from '../errors/index.js';
import type { Module } from '../nn/index.js';

/** Where the section stands that the module was made of. */
export interface SectionPlace {
  readonly path: string;
  readonly position?: SourcePosition | undefined;
}

/** Numbers of one tensor that JavaScript can hold in one array, and ONNX Runtime in one tensor. */
const MAX_ELEMENTS = 2 ** 31 - 1;
const BYTES = 4;

/**
 * Refuses a model whose weights the machine cannot hold.
 * @param available bytes of the machine, or of the container that the process runs in
 * @throws AnemoneError `model.too-large`
 */
export function checkSize(module: Module, { path, position }: SectionPlace, available = memory()): void {
  const largest = largestParameter(module);
  if (!largest) return;
  const count = module.parameterCount();
  const refuse = (message: string) =>
    new AnemoneError({
      code: 'model.too-large',
      path,
      position,
      message,
      hint: `the largest of them is ${largest.name} [${largest.shape.join(', ')}]; lower what makes it so large`,
    });
  if (count * BYTES > available) {
    throw refuse(
      `${spoken(count)} parameters take ${gibibytes(count * BYTES)}; this machine has ${gibibytes(available)}`,
    );
  }
  if (largest.size > MAX_ELEMENTS) {
    throw refuse(`a parameter of ${spoken(largest.size)} numbers is more than one tensor can hold`);
  }
}

function largestParameter(module: Module) {
  return [...module.parameters()].reduce(
    (largestSoFar, parameter) =>
      largestSoFar && largestSoFar.size >= parameter.size ? largestSoFar : parameter,
    [...module.parameters()].at(0),
  );
}

function memory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function spoken(count: number): string {
  if (count < 1e6) return String(count);
  if (count >= 1e12) return count.toExponential(1);
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} M` : `${Number((count / 1e9).toPrecision(3))} billion`;
}

function gibibytes(bytes: number): string {
  const size = bytes / 2 ** 30;
  return `${size >= 1e6 ? size.toExponential(1) : Number(size.toPrecision(3))} GiB`;
}
