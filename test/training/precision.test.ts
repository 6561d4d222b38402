// trainer.precision: reduced precision is told of and computed in 32 bits, anything else is refused.
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { Trainer } from '../../src/training/index.js';
import { RecordingView } from './helpers.js';

function made(precision: unknown) {
  const view = new RecordingView();
  const trainer = new Trainer({ precision: precision as 32 }, { view, engine: createReferenceEngine() });
  return { precision: trainer.options.precision, said: view.lines.join('\n') };
}

describe('trainer.precision', () => {
  it.each([32, '32', '32-true'])('%s is silent', (value) => {
    expect(made(value)).toEqual({ precision: 32, said: '' });
  });

  it.each([16, '16', '16-mixed', '16-true', 'bf16', 'bf16-mixed', 'bf16-true'])('%s is told of', (value) => {
    const { precision, said } = made(value);
    expect(precision).toBe(32);
    expect(said).toContain(`"precision" has no effect: the computation is in 32 bits, not ${value}`);
  });

  it.each([64, '64-true', 'half', 8, null, true])('%s is an error', (value) => {
    expect(() => made(value)).toThrow(
      expect.objectContaining({ code: 'config.invalid-value', path: 'precision' }),
    );
  });
});
