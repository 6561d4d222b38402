// Data that lie in memory and computations that end before they return must not keep the process to themselves: signals,
// timers and whoever else waits get their turn while a run goes on.
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { Trainer } from '../../src/training/index.js';
import { RecordingView } from './helpers.js';
import { ToyModel, ToySource } from './toy-model.js';

const optim = { name: 'adamw', lr: 0.01 };
/** Far more than is done until the timer comes. */
const MANY = 5000;

const trainer = (more: object = {}) =>
  new Trainer({ max_epochs: 1, ...more }, { engine: createReferenceEngine(), view: new RecordingView() });

/** Aborted by a timer that is due at once. */
function soon(): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 1);
  return controller.signal;
}

describe('the event loop turns', () => {
  it.each([1, 4])('between the steps of a fit, %i batches each', async (accumulate_grad_batches) => {
    const model = new ToyModel({ batches: MANY, validation: false, optim });
    const { outcome, progress } = await trainer({ accumulate_grad_batches }).fit(model, { signal: soon() });
    expect(outcome.kind).toBe('interrupted');
    expect(progress.step).toBeLessThan(MANY / 8);
  });

  it('between the batches of one step', async () => {
    let turns = 0;
    const turning = setInterval(() => turns++, 1);
    await trainer({ accumulate_grad_batches: 200, max_steps: 1 }).fit(new ToyModel({ batches: 200, optim }));
    clearInterval(turning);
    expect(turns).toBeGreaterThan(20);
  });

  it.each(['validate', 'test'] as const)('between the batches of %s', async (kind) => {
    const source = new ToySource('set', { batches: MANY });
    const evaluation = trainer()[kind](new ToyModel({ optim }), { data: source, signal: soon() });
    await expect(evaluation).rejects.toMatchObject({ code: 'engine.cancelled' });
  });
});
