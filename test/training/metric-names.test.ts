// One spelling for what is logged; the names of before are understood where metrics are looked up.
import { describe, expect, it } from 'vitest';
import { grouped, metricName, metricOf } from '../../src/training/metric-names.js';

describe('metricName', () => {
  it.each([
    ['val_wer', 'val/wer'],
    ['val_inter_wer_l3', 'val/inter_wer_l3'],
    ['val_wer/clean', 'val/wer/clean'],
    ['train_rnnt_loss', 'train/rnnt_loss'],
    ['learning_rate', 'train/learning_rate'],
    ['rss_mb', 'system/rss_mb'],
    ['data_wait_share', 'data/wait_share'],
    ['data_waitSeconds', 'data/wait_seconds'],
    ['train_step_timing in s', 'train/step_seconds'],
    ['val/wer', 'val/wer'],
    ['mine', 'mine'],
  ])('%s is %s', (before, today) => expect(metricName(before)).toBe(today));
});

describe('metricOf', () => {
  it('finds a metric by either name, in what is logged today and in what was logged before', () => {
    expect(metricOf({ 'val/wer': 0.5 }, 'val_wer')).toBe(0.5);
    expect(metricOf({ val_wer: 0.5 }, 'val/wer')).toBe(0.5);
    expect(metricOf({ val_wer: 0.5 }, 'val_wer')).toBe(0.5);
    expect(metricOf({ 'val/wer': 0.5 }, 'val_wers')).toBeUndefined();
  });

  it("prefers a user's own name", () => {
    expect(metricOf({ train_mine: 1, 'train/mine': 2 }, 'train_mine')).toBe(1);
  });
});

it('grouped puts names into a group, in one spelling', () => {
  expect(grouped('data', { queue: 3, cacheHits: 2 })).toEqual({ 'data/queue': 3, 'data/cache_hits': 2 });
});
