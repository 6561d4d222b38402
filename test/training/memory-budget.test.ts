// Layers that are computed again to stay within a given memory.
import { describe, expect, it } from 'vitest';
import { LayerCheckpoints, Module } from '../../src/nn/index.js';
import { keepWithin } from '../../src/training/fit/memory-budget.js';
import { parseBytes } from '../../src/training/trainer-options.js';

class Stack extends Module {
  readonly checkpoints: LayerCheckpoints;
  constructor(layers: number, configured = false) {
    super();
    const keys = configured ? ({ activations_checkpoint_granularity: 'full' } as const) : {};
    const modules = Array.from({ length: layers }, () => new (class extends Module {})());
    this.checkpoints = new LayerCheckpoints(keys, modules);
  }
}

class Model extends Module {
  readonly stacks: readonly Stack[];
  constructor(...stacks: Stack[]) {
    super();
    this.stacks = stacks.map((stack, i) => this.child(`stack${i}`, stack));
  }
}

const MIB = 2 ** 20;

/** 100 MiB, and 10 of each layer that is kept. */
function within(bytes: number, module: Model) {
  const said: string[] = [];
  let traces = 0;
  const layers = () => module.stacks.reduce((sum, { checkpoints }) => sum + checkpoints.layerCount - checkpoints.recomputed, 0); // biome-ignore format: one line reads better
  keepWithin({
    bytes,
    module,
    memory: {
      plan: () => {
        traces++;
        return { totalBytes: (100 + 10 * layers()) * MIB } as never;
      },
    },
    programs: { forget: () => {} },
    say: (line) => said.push(line),
  });
  return { counts: module.stacks.map(({ checkpoints }) => checkpoints.recomputed), said, traces };
}

describe('a budget of memory', () => {
  it.each([
    [1000, [0, 0]],
    [220, [0, 0]],
    [219, [1, 0]],
    [170, [5, 0]],
    [141, [8, 0]],
    [129, [8, 2]],
    [100, [8, 4]],
  ])('of %i MiB is kept by as few layers as possible', (mebibytes, counts) => {
    const result = within(mebibytes * MIB, new Model(new Stack(8), new Stack(4)));
    expect(result.counts).toEqual(counts);
    expect(result.said).toHaveLength(1);
    expect(result.traces).toBeLessThan(9);
  });

  it('that is too small says what the least is', () => {
    expect(() => within(99 * MIB, new Model(new Stack(8)))).toThrow(
      expect.objectContaining({
        code: 'trainer.memory-budget',
        message: expect.stringContaining(
          '99 MiB are too little: the run takes about 100 MiB at least, with all 8 layers',
        ),
        hint: expect.stringContaining('give it 100MiB'),
      }),
    );
  });

  it('leaves to the config what the config says', () => {
    expect(within(150 * MIB, new Model(new Stack(8), new Stack(4, true))).counts).toEqual([3, 4]);
  });

  it.each([
    ['6GB', 6e9],
    ['512MiB', 512 * MIB],
    ['1.5 gb', 1.5e9],
    ['100B', 100],
    ['2TiB', 2 * 2 ** 40],
  ])('%s is a size', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each([['6'], ['GB'], [''], ['-1GB'], ['0GB'], ['6 G B'], [6], [null], ['1e9GB'], ['6XB']])(
    '%s is none',
    (value) => {
      expect(() => parseBytes(value)).toThrow(/a number with a unit/);
    },
  );
});
