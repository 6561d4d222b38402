// A language model by Megatron's configs on several ranks: micro_batch_size, global_batch_size and rampup_batch_size say the steps
// of all together, and ranks that find an overflow in one batch skip the step together.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readMetricRows } from '../../src/training/index.js';
import { bundledProgram } from '../bundled-program.js';
import { temporaryFolder } from './helpers.js';
import { Job, train } from './rank-jobs.js';

const program = await bundledProgram(new URL('programs/train-gpt-ranks.ts', import.meta.url));
const corpus = join(temporaryFolder(), 'corpus.txt');
writeFileSync(corpus, 'the cat sat on the mat. the dog sat on the log.\n'.repeat(60));

const section = {
  micro_batch_size: 1,
  global_batch_size: 4,
  encoder_seq_length: 16,
  num_layers: 2,
  hidden_size: 16,
  num_attention_heads: 2,
  hidden_dropout: 0.1,
  attention_dropout: 0.1,
  tokenizer: { library: 'byte-level' },
  data: { data_prefix: [corpus], eod_mask_loss: true },
  optim: { name: 'fused_adam', lr: 3e-3, weight_decay: 0.01 },
};
const limits = { max_steps: 8, max_epochs: -1, limit_val_batches: 0, gradient_clip_val: 1 };

type Rows = readonly Readonly<Record<string, number>>[];

/** Rows of the log of a run. */
async function run(
  devices: number,
  trainer: object,
  model: object = {},
): Promise<{ rows: Rows; text: string }> {
  const folder = temporaryFolder();
  const options = { trainer: { ...limits, devices, ...trainer }, model: { ...section, ...model }, program };
  const text = await train(folder, options);
  return { rows: (await readMetricRows(join(folder, 'metrics.jsonl'))) as Rows, text };
}

const column = (rows: Rows, key: string): number[] => rows.map((row) => row[key]).filter((value) => value !== undefined); // biome-ignore format: one line
const skippedSteps = (text: string): string[] => text.match(/step \d+ skipped \(\d+ so far\).*/g) ?? [];

function expectAlike(two: Rows, one: Rows, keys: readonly string[]): void {
  for (const key of keys) {
    const [actual, expected] = [column(two, key), column(one, key)];
    expect(expected.length, key).toBeGreaterThan(0);
    expect(actual.length, key).toBe(expected.length);
    expected.forEach((value, i) => {
      expect(Math.abs(actual[i] - value), `${key} in row ${i}`).toBeLessThanOrEqual(
        1e-5 * Math.max(1, Math.abs(value)),
      );
    });
  }
}

describe('two ranks make the steps of one', () => {
  let alone: Rows;
  beforeAll(async () => {
    alone = (await run(1, {})).rows;
  });

  it('of global_batch_size samples', async () => {
    expectAlike((await run(2, {})).rows, alone, ['train/loss', 'train/grad_norm']);
    // More samples would have made another curve.
    const larger = await run(1, {}, { global_batch_size: 8 });
    expect(column(larger.rows, 'train/loss')).not.toEqual(column(alone, 'train/loss'));
  });

  it('that grow by rampup_batch_size, from one that is less than a batch of each', async () => {
    const growing = { rampup_batch_size: [1, 1, 12] };
    const [one, two] = [await run(1, {}, growing), await run(2, {}, growing)];
    expectAlike(two.rows, one.rows, ['train/loss', 'train/grad_norm']);
    expect(column(alone, 'train/loss')).not.toEqual(column(one.rows, 'train/loss'));
  });

  it.each([
    ['PyTorch', { defaults: 'pytorch', init_scale: 2 ** 30, growth_interval: 2 }],
    ['Megatron', { defaults: 'megatron', init_scale: 2 ** 30, growth_interval: 2 }],
  ])('with a loss scale that shrinks and grows as in %s, and skip the same', async (_, loss_scale) => {
    const trainer = { precision: '16-mixed', loss_scale, max_steps: 30 };
    const growing = { rampup_batch_size: [2, 1, 20] };
    const [one, two] = [await run(1, trainer, growing), await run(2, trainer, growing)];
    expect(skippedSteps(one.text).length).toBeGreaterThan(3);
    expect(skippedSteps(two.text)).toEqual(skippedSteps(one.text));
    const scales = column(one.rows, 'train/loss_scale');
    expect(scales.some((scale, i) => i > 0 && scale > scales[i - 1])).toBe(true);
    expect(scales.some((scale, i) => i > 0 && scale < scales[i - 1])).toBe(true);
    expect(column(two.rows, 'train/loss_scale')).toEqual(scales);
    expect(column(two.rows, 'train/skipped_steps')).toEqual(column(one.rows, 'train/skipped_steps'));
    expectAlike(two.rows, one.rows, ['train/loss']);
  });
});

it('a global batch that ranks cannot divide is refused in one line', async () => {
  const trainer = { ...limits, devices: 2 };
  const model = { ...section, micro_batch_size: 4 };
  const { code, text } = await new Job(temporaryFolder(), { trainer, model, program }).ended;
  expect(code).toBe(2);
  expect(
    text
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('error')),
  ).toHaveLength(1);
  expect(text).toMatch(/model.global_batch_size: 2 ranks cannot divide the 1 micro-batch of a step/);
});
