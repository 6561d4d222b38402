import { describe, expect, it } from 'vitest';
import { AnemoneError } from '../../../src/errors/index.js';
import type { Batch, BatchOutline, BatchSource } from '../../../src/model/index.js';
import { LayerCheckpoints, Module } from '../../../src/nn/index.js';
import { MemoryCheck, type MemoryCheckMode } from '../../../src/training/fit/memory-check.js';
import type { StepPrograms } from '../../../src/training/fit/step-programs.js';

const MIB = 2 ** 20;
const shapes = (size: number) => ({ x: { dtype: 'float32' as const, shape: [size] } });
const outline: BatchOutline = {
  inputs: shapes(16),
  size: 16,
  text: '16 × something',
  inputsFor: shapes,
  advice: (size) => `at most ${size}`,
  setting: (size) => `train_ds.batch_size: ${size}`,
  key: 'batch_size',
  position: { file: 'a.yaml', line: 3 },
};
const source = { name: 'train_ds', largestBatch: () => outline } as unknown as BatchSource;

class Root extends Module {}

/** 100 MiB an example, of which the heap makes 150; gradients that are added up take 300 more. */
const programs = {
  memoryOf: (inputs: Readonly<Record<string, { readonly shape: readonly number[] }>>, sums: boolean) => {
    const bytes = 100 * MIB * inputs['x'].shape[0];
    return {
      aliveBytes: bytes,
      alive: [0, 1, 2, 3].map((i) => ({
        part: `encoder.layers.${i}.conv`,
        kind: 'Mul',
        bytes: bytes / 4,
        count: 25,
      })),
      planned: false,
      crossingBytes: 0,
      inputBytes: 0,
      outputBytes: 0,
      constantBytes: 0,
      nodes: 0,
      states: new Map(),
      accumulatedBytes: sums ? 300 * MIB : 0,
      sentBytes: 0,
    };
  },
  forget: () => undefined,
} as Pick<StepPrograms, 'memoryOf' | 'forget'>;

function checkOf(availableMib: number, mode: MemoryCheckMode = true, parts: object = {}) {
  const said: string[] = [];
  const check = new MemoryCheck({
    source,
    programs,
    module: new Root(),
    mode,
    accumulates: false,
    say: (line) => said.push(line),
    free: () => ({ bytes: availableMib * MIB, of: 'here' }),
    taken: () => 0,
    ...parts,
  });
  return { check, said };
}

function refusal(run: () => void): AnemoneError {
  try {
    run();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('the memory check', () => {
  it('says what the largest batch takes', () => {
    const { check, said } = checkOf(9000);
    check.beforeRun();
    // 16 × 150 MiB and the 40 MiB of the runtime.
    expect(said).toEqual([
      'train_ds: a step of the largest batch (16 × something) takes about 2.4 GiB, 8.8 GiB are free here',
    ]);
  });

  it('counts gradients that are sent beside those that are added up', () => {
    const memoryOf: typeof programs.memoryOf = (inputs, sums) => {
      const memory = programs.memoryOf(inputs, sums);
      return memory && { ...memory, sentBytes: 1024 * MIB };
    };
    const { check, said } = checkOf(9000, true, { programs: { ...programs, memoryOf } });
    check.beforeRun();
    expect(said[0]).toContain('takes about 3.4 GiB');
  });

  it('ends a run that cannot fit: the place of the key, what takes it, what would help, in bytes', () => {
    const error = refusal(() => checkOf(1024).check.beforeRun());
    expect(error).toMatchObject({
      code: 'trainer.memory',
      path: 'model.train_ds.batch_size',
      position: { file: 'a.yaml', line: 3 },
      exitCode: 2,
    });
    expect(error.reason).toMatch(/takes about 2.4 GiB, but only 1.0 GiB are free here/);
    const text = error.lines.join('\n');
    // 40 + 150 n ≤ 1024 for n up to 6: ten examples less. With sums of gradients 300 MiB less are saved.
    expect(text).toContain('1.5 GiB less: smaller batches, train_ds.batch_size: 6');
    expect(text).toContain('1.2 GiB less: the same with trainer.accumulate_grad_batches: 3');
    // Of 1600 MiB in 4 layers a layer and 4 inputs of 16 MiB stay.
    expect(text).toContain('1.1 GiB less: gradient checkpointing of encoder.layers.*');
    expect(text).toMatch(/encoder\.layers\.\* \(4\) +1\.6 GiB {2}conv 1\.6 GiB/);
  });

  it('traces the step with all layers computed again where it can, and leaves the model as it was', () => {
    const checkpoints = new LayerCheckpoints({}, [new Root(), new Root()], 'encoder');
    const root = Object.assign(new Root(), { checkpoints });
    // Each layer that is computed again takes a quarter less.
    const memoryOf: typeof programs.memoryOf = (inputs, sums) => {
      const memory = programs.memoryOf(inputs, sums);
      return memory && { ...memory, aliveBytes: memory.aliveBytes * (1 - checkpoints.recomputed / 4) };
    };
    const parts = { module: root, programs: { ...programs, memoryOf } };
    const text = refusal(() => checkOf(1024, true, parts).check.beforeRun()).lines.join('\n');
    // Half of 16 × 150 MiB.
    expect(text).toContain(
      '1.2 GiB less: gradient checkpointing, model.encoder.activations_checkpoint_granularity: full',
    );
    expect(checkpoints.recomputed).toBe(0);
  });

  it('says where not even one example fits', () => {
    expect(refusal(() => checkOf(150).check.beforeRun()).lines.at(-1)).toContain('at most 0');
  });

  it('only warns where the config says so, and is silent where it is off', () => {
    const warned = checkOf(1024, 'warn');
    warned.check.beforeRun();
    expect(warned.said[0]).toMatch(/^warning: train_ds: .* but only 1.0 GiB are free here/);
    const off = checkOf(1024, false);
    off.check.beforeRun();
    off.check.beforeBatch(batchOf(100));
    expect(off.said).toEqual([]);
  });

  it('asks again before larger batches are compiled, once for each shape', () => {
    const { check, said } = checkOf(4000);
    check.beforeRun();
    check.beforeBatch(batchOf(20));
    expect(refusal(() => check.beforeBatch(batchOf(40))).code).toBe('trainer.memory');
    const warned = checkOf(4000, 'warn');
    warned.check.beforeBatch(batchOf(40));
    warned.check.beforeBatch(batchOf(40));
    expect(warned.said).toHaveLength(1);
    expect(said).toHaveLength(1);
  });

  it('explains memory that was refused all the same, and no other error', () => {
    const { check } = checkOf(4000);
    const refused = new RangeError('Array buffer allocation failed');
    const explained = check.explained(refused, batchOf(20)) as AnemoneError;
    expect(explained).toMatchObject({ code: 'engine.out-of-memory', cause: refused });
    expect(explained.message).toMatch(/encoder\.layers\.\*/);
    const other = new Error('something else');
    expect(check.explained(other, batchOf(20))).toBe(other);
  });

  it('is silent where a source or an engine does not know', () => {
    const unknown = { name: 'train_ds' } as unknown as BatchSource;
    for (const parts of [{ source: unknown }, { programs: { memoryOf: () => undefined } }]) {
      const { check, said } = checkOf(1, true, parts);
      check.beforeRun();
      expect(check.plan()).toBeUndefined();
      expect(said).toEqual([]);
    }
  });
});

function batchOf(size: number): Batch {
  const data = new Float32Array(size);
  return { inputs: { x: { dtype: 'float32', shape: [size], data } }, size, units: 1, names: [] };
}
