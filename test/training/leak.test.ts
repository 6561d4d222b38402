import { describe, expect, it } from 'vitest';
import { createReferenceEngine, OnnxEngine, tf } from '../../src/engine/index.js';
import { Callback, Trainer, type TrainingRun } from '../../src/training/index.js';
import { RecordingView } from './helpers.js';
import { ToyModel } from './toy-model.js';

/** Memory after some steps. */
class Gauge extends Callback {
  readonly name = 'gauge';
  readonly counts: number[] = [];
  readonly rss: number[] = [];

  override async onStep({ progress }: TrainingRun): Promise<void> {
    if (progress.step % 50 !== 0) return;
    this.counts.push(tf.memory().numTensors);
    this.rss.push(process.memoryUsage.rss());
  }
}

describe('500 steps', () => {
  it.each([
    ['reference', createReferenceEngine],
    ['onnxruntime', () => new OnnxEngine({ threads: 1 })],
  ] as const)('leave memory flat on %s', async (_name, make) => {
    const gauge = new Gauge();
    const engine = make();
    const config = {
      max_steps: 500,
      val_check_interval: 5,
      accumulate_grad_batches: { 0: 1, 40: 2 },
      handle_signals: false,
    };
    const trainer = new Trainer(config, { engine, callbacks: [gauge], view: new RecordingView() });
    await trainer.fit(new ToyModel());
    await engine.dispose();
    // The accumulators of epoch 40 (step 400) are the only tensors that may come later.
    expect(gauge.counts).toHaveLength(10);
    expect(new Set(gauge.counts.slice(1, 7)).size).toBe(1);
    expect(gauge.counts[9]).toBe(gauge.counts[8]);
    const growth = gauge.rss[7] - gauge.rss[3];
    expect(growth / 2 ** 20, 'MB over 200 steps').toBeLessThan(20);
  });
});
