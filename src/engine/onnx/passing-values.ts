// Which values go from a step's loss and gradients to its updates by way of the block that the step computes in.
import { BY_PLAN } from './buffer-plan.js';
import { outputsToPlace } from './passes/memory-plan.js';
import { bytesOfValue, peakOf } from './peak.js';
import type { TracedProgram } from './trace.js';
import { ValueSizes } from './value-sizes.js';

const NONE: ReadonlySet<string> = new Set();

/**
 * Names of the values that may have places in the plan of the first part, which is then in use until the updates have been made.
 * None where that gains nothing: what the updates themselves compute lies behind the block, where it could lie in it otherwise.
 */
export function passingValues({
  segments,
  apply,
  outputs,
  updates,
  shapes,
}: TracedProgram): ReadonlySet<string> {
  const [compute] = segments;
  if (!apply || segments.length > 1) return NONE;
  const ofCaller = new Set([...outputs.values(), ...updates.values()].map(({ name }) => name));
  const crossing = apply.crossing.filter(({ name }) => !ofCaller.has(name));
  const bytes = crossing.reduce((sum, value) => sum + bytesOfValue(value), 0);
  if (peakOf(apply.graph, new ValueSizes(shapes), BY_PLAN).bytes > bytes) return NONE;
  return outputsToPlace(compute, new Set(crossing.map(({ name }) => name)));
}
