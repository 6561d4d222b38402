import { describe, expect, it } from 'vitest';
import { LiveLineView, LogLineView, type StepStatus } from '../../src/training/index.js';
import { formatDuration, formatNumber } from '../../src/training/progress/progress-view.js';

const status: StepStatus = {
  step: 12,
  totalSteps: 100,
  epoch: 1,
  totalEpochs: undefined,
  loss: 1.23456,
  learningRate: 0.001,
  examplesPerSecond: 14.83,
  unitsPerSecond: 82.4,
  waitShare: 0.104,
  compilations: 7,
  compileSeconds: 3.94,
  names: { example: 'utt', unit: 'audio-s' },
  cpuShare: 0.93,
  gpus: [],
  rssBytes: 558 * 2 ** 20,
  etaSeconds: 3725,
};
const LINE =
  'step 12/100 | epoch 1 | loss 1.235 | lr 1.00e-3 | ETA 1:02:05 | 14.8 utt/s | 82 audio-s/s | data wait 10% | 7 compiled in 3.9 s | CPU 93% | RSS 558 MB';

describe('progress', () => {
  it('prints a line per log row where there is no terminal', () => {
    const lines: string[] = [];
    const view = new LogLineView((line) => lines.push(line));
    view.step(status, false);
    view.step(status, true);
    view.say('saved');
    expect(lines).toEqual([`${LINE}\n`, 'saved\n']);
  });

  it('rewrites one line on a terminal, no wider than it and ten times a second at most', () => {
    const written: string[] = [];
    const stream = {
      columns: 60,
      write: (text: string) => written.push(text),
    } as unknown as NodeJS.WriteStream;
    let now = 1000;
    const view = new LiveLineView(stream, () => now);
    view.step(status);
    now += 50;
    view.step(status);
    now += 100;
    view.evaluating('dev', 3, 9);
    view.say('saved');
    const erase = '\r\u001b[2K';
    expect(written).toEqual([`${erase}${LINE.slice(0, 59)}`, `${erase}dev: batch 3 of 9`, erase, 'saved\n']);
  });

  it('writes numbers and times for people', () => {
    expect([0, 0.00012, 12345, 1234567, Number.NaN].map(formatNumber)).toEqual([
      '0.000',
      '1.200e-4',
      '12345',
      '1.235e+6',
      'NaN',
    ]);
    expect([5, 65, 3600].map(formatDuration)).toEqual(['0:05', '1:05', '1:00:00']);
  });
});
