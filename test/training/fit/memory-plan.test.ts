import { describe, expect, it } from 'vitest';
import { Module } from '../../../src/nn/index.js';
import { memoryItems } from '../../../src/training/fit/memory-plan.js';
import type { StepMemory } from '../../../src/training/fit/step-programs.js';

class Root extends Module {}

const step: StepMemory = {
  aliveBytes: 100,
  alive: [],
  planned: true,
  crossingBytes: 0,
  inputBytes: 0,
  outputBytes: 0,
  constantBytes: 0,
  nodes: 0,
  states: new Map(),
  accumulatedBytes: 0,
  sentBytes: 0,
};

describe('the items of a plan', () => {
  const items = (more: Partial<StepMemory>) => {
    const loader = { threads: 0, batches: 0, bytes: 0 };
    const plan = { module: new Root(), step: { ...step, ...more }, loader, processBytes: 0, earlierBytes: 0 };
    return new Map(memoryItems(plan).map(({ name, bytes }) => [name, bytes]));
  };

  it('name gradients with the activations where they lie among them', () => {
    const among = items({});
    expect(among.get('gradients, activations and other values')).toBe(100);
    expect(among.has('gradients')).toBe(false);
  });

  it('name them apart where they have memory of their own', () => {
    const apart = items({ planned: false, crossingBytes: 40 });
    expect([apart.get('gradients'), apart.get('activations and other values')]).toEqual([40, 100]);
    const summed = items({ accumulatedBytes: 40 });
    expect(summed.get('gradients')).toBe(40);
  });
});
