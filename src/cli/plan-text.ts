// What `anemone train --dry-run` prints.
import {
  freeText,
  leverLines,
  moduleTable,
  planTable,
  type RunPlan,
  spokenBytes,
} from '../training/index.js';

export function describePlan(plan: RunPlan): string {
  const { memory, parameters, batchesInEpoch, totalSteps, sets } = plan;
  const steps = totalSteps === undefined ? 'no limit of steps' : `${totalSteps} steps`;
  const head = [
    `${sets.join(', ')} opened; ${(parameters / 1e6).toFixed(1)} M parameters; ${batchesInEpoch} batches an epoch, ${steps}`,
  ];
  if (!memory) {
    return `${[...head, 'memory: this engine, or this data, cannot tell before it runs', ''].join('\n')}`;
  }
  const wanted = spokenBytes(Math.max(0, memory.totalBytes - memory.takenBytes));
  const verdict = plan.fits ? 'it fits' : 'IT DOES NOT FIT';
  const levers = leverLines(plan.levers);
  return [
    ...head,
    '',
    `memory of ${memory.source}, largest batch ${memory.batch}:`,
    ...planTable(memory),
    `${verdict}: ${wanted} more are needed, ${freeText(memory)}`,
    '',
    'what the step keeps when it takes the most:',
    ...moduleTable(memory),
    ...(levers.length > 0 ? ['', 'what would take less:', ...levers] : []),
    '',
  ].join('\n');
}
