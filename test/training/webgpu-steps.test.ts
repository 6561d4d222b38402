// Whole optimizer steps on webgpu, states on the device: they are those of the CPU, no node is left to it, nothing is copied
// within a step, and what crosses is the batch, the optimizer's numbers, random bits, and the scalars that come out.
import { describe, expect, it } from 'vitest';
import type { EncDecCTCModel, SpeechModel } from '../../src/asr/index.js';
import type { Engine, HostTensors, Placement } from '../../src/engine/index.js';
import { families, SMALL } from '../asr/families.js';
import { tinyModel } from '../asr/support.js';
import { batchOf } from '../asr/training.js';
import { webgpuWorks } from '../engine/webgpu.js';

const works = await webgpuWorks();
const { OnnxEngine } = await import('../../src/engine/index.js');
const asr = await import('../../src/asr/index.js');
const { CounterRandom } = await import('../../src/random/index.js');
const { createOptimizer } = await import('../../src/optim/index.js');
const { StepPrograms } = await import('../../src/training/fit/step-programs.js');

const NO_DRIVER = 'no Vulkan driver answers (Debian: chromium and libvulkan1 bring one in software)';
const STEPS = 4;
const LR = 1e-3;

interface Kind {
  readonly name: string;
  /** Draws random bits, which cross. */
  readonly random: boolean;
  /** Bytes of inputs that no step reads. Default 0. */
  readonly unread?: number;
  make(engine: Engine): Promise<{ model: SpeechModel; inputs: HostTensors }>;
}

/** Short, so that a device in software is through the lattices of losses soon. */
const SPEECH = ['ab', 'c'];

/** @param speech in place of the family's own */
const family = (name: string, more: Partial<Kind> = {}, speech?: readonly string[]): Kind => ({
  name,
  random: false,
  ...more,
  make: async (engine) => {
    const found = families.find((one) => one.name === name);
    if (!found) throw new Error(`there is no family "${name}"`);
    const { model, inputs } = await found.make(engine, SMALL);
    return { model, inputs: speech ? batchOf(model, speech).inputs : inputs };
  },
});

const modules = 'nemo.collections.asr.modules';
const block = (more: object) => ({ filters: 12, repeat: 1, kernel: [5], stride: [1], dilation: [1], dropout: 0, residual: false, separable: true, ...more }); // biome-ignore format: a table
const jasper = [block({ stride: [2] }), block({ repeat: 2, residual: true, se: true, se_context_size: -1, dropout: 0.2 }), block({ kernel: [1], separable: false })]; // biome-ignore format: a table
const convolutional: Kind = {
  name: 'CTC over convolutions like Citrinet’s, with dropout and masks',
  random: true,
  async make(engine) {
    const config = tinyModel({
      encoder: {
        _target_: `${modules}.ConvASREncoder`,
        feat_in: 16,
        activation: 'relu',
        conv_mask: true,
        jasper,
      },
      decoder: { _target_: `${modules}.ConvASRDecoder`, feat_in: null, num_classes: -1 },
      spec_augment: { _target_: `${modules}.SpectrogramAugmentation`, freq_masks: 1, freq_width: 4 },
      joint: undefined,
    });
    const model: EncDecCTCModel = asr.EncDecCTCModel.fromConfig(config, { seed: 3, engine });
    return { model, inputs: batchOf(model, SPEECH).inputs };
  },
};

const always = [
  convolutional,
  // TDT draws whether a step is counted as RNN-T's.
  family('hybrid of TDT and CTC', { random: true }, SPEECH),
  // A Transformer decoder over a Conformer. The lengths of its two prompts only matter to decoding.
  family('multitask', { unread: 8 }),
];
const slow = families
  .filter(({ name }) => !always.some((kind) => kind.name === name))
  .map(({ name }) => family(name, { random: /^TDT/.test(name) }));

interface Steps {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  /** Parameters and moments in the end. */
  readonly states: ReadonlyMap<string, readonly number[]>;
  readonly placement: Placement;
  /** Bytes of each step after the first. */
  readonly crossed: readonly { readonly up: number; readonly down: number }[];
  /** Bytes of the batch and of the optimizer's numbers. */
  readonly given: number;
}

async function stepsOn(provider: string, kind: Kind): Promise<Steps> {
  const placement: Placement = {};
  const engine = new OnnxEngine({
    provider,
    threads: 2,
    onPlacement: (_, found) => Object.assign(placement, found),
  });
  const { model, inputs } = await kind.make(engine);
  // A moment that is zero but for rounding stays that small: its share of a step is that of its size to eps.
  const settings = { name: 'adamw', lr: LR, betas: [0.9, 0.98], weight_decay: 0.01, eps: 1e-2 };
  const optimizer = createOptimizer(settings, model.parameters());
  const programs = new StepPrograms(engine, model, optimizer, { algorithm: 'norm', limit: 1 });
  const batch = { inputs, size: inputs['featureLengths'].data.length, units: 1, names: [], texts: [] };
  const [losses, norms, crossed]: [number[], number[], Steps['crossed'][number][]] = [[], [], []];
  for (let step = 1; step <= STEPS; step++) {
    const { bytesToDevice, bytesToHost } = engine.stats;
    const micro = { batch, random: new CounterRandom(step) };
    const result = await programs.run(
      [micro],
      optimizer.scalars(step, (lr) => lr),
    );
    expect(result.committed).toBe(true);
    losses.push(result.loss);
    norms.push(result.gradNorm);
    const { stats } = engine;
    crossed.push({ up: stats.bytesToDevice - bytesToDevice, down: stats.bytesToHost - bytesToHost });
  }
  const states = new Map<string, readonly number[]>();
  for (const state of [...model.parameters(), ...optimizer.slots])
    states.set(state.name, Array.from(await engine.read(state)));
  const given = [...Object.values(inputs), optimizer.scalars(1, (lr) => lr)].reduce(
    (sum, { data }) => sum + data.byteLength,
    0,
  );
  await engine.dispose();
  return { losses, norms, states, placement, crossed: crossed.slice(1), given };
}

describe.each([...always, ...slow])('$name on webgpu', (kind) => {
  it('trains as on the CPU, on the device alone', { timeout: 600_000 }, async ({ skip }) => {
    skip(!works, NO_DRIVER);
    skip(
      !process.env['ANEMONE_WEBGPU_STEPS'] && !always.includes(kind),
      'slow: ANEMONE_WEBGPU_STEPS=1 runs it',
    );
    const wanted = await stepsOn('cpu', kind);
    const found = await stepsOn('webgpu', kind);

    // A loss is a sum of some 1e4 numbers rounded at 6e-8 each, in another order: by chance sqrt(1e4) * 6e-8 of it.
    found.losses.forEach((loss, i) => {
      expect(Math.abs(loss - wanted.losses[i])).toBeLessThan(6e-6 * Math.abs(wanted.losses[i]));
      // The norm is one of gradients, which have gone through twice as many sums.
      expect(Math.abs(found.norms[i] - wanted.norms[i])).toBeLessThan(1e-4 * wanted.norms[i]);
    });
    // A wrong gradient moves a weight by some LR a step.
    const moved = differences(found, wanted, (name) => !name.includes('exp_avg'));
    expect(moved.filter(([, most]) => most > 0.01 * LR * STEPS)).toEqual([]);
    // Gradients are scaled to a norm of 1: so are the moments.
    const moments = differences(found, wanted, (name) => name.includes('exp_avg'));
    expect(moments.length).toBeGreaterThan(10);
    expect(moments.filter(([, most]) => most > 1e-5)).toEqual([]);

    expect(found.placement['cpu'] ?? {}).toEqual({});
    expect(Object.keys(found.placement['webgpu']).filter((op) => /^Memcpy/.test(op))).toEqual([]);
    for (const { up, down } of found.crossed) {
      if (kind.random) expect(up).toBeGreaterThan(found.given);
      else expect(up).toBe(found.given - (kind.unread ?? 0));
      // Loss, norm, and what the loss was divided by.
      expect(down).toBeLessThanOrEqual(8 * 4);
    }
  });
});

function differences(found: Steps, wanted: Steps, which: (name: string) => boolean): [string, number][] {
  return [...wanted.states]
    .filter(([name]) => which(name))
    .map(([name, values]) => {
      const other = found.states.get(name) ?? [];
      return [name, values.reduce((most, v, i) => Math.max(most, Math.abs(v - other[i])), 0)];
    });
}
