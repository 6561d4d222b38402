// Small things that the tests of training share.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../src/engine/index.js';
import type { TrainableModel } from '../../src/model/index.js';
import type { ProgressView } from '../../src/training/index.js';

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'anemone-training-'));
}

/** Keeps what was said. */
export class RecordingView implements ProgressView {
  readonly lines: string[] = [];
  readonly steps: number[] = [];
  step({ step }: { step: number }): void {
    this.steps.push(step);
  }
  evaluating(): void {}
  end(): void {}
  say(text: string): void {
    this.lines.push(text);
  }
}

/** All weights and buffers of a model, one after the other. */
export async function weightsOf(model: TrainableModel, engine: Engine): Promise<number[]> {
  const values: number[] = [];
  for (const state of model.module.stateDict().values()) values.push(...(await engine.read(state)));
  return values;
}
