import { describe, expect, it } from 'vitest';
import type { HeatMap } from '../../src/model/index.js';
import { reportPage } from '../../src/training/index.js';
import { summaryFacts } from '../../src/training/report/page.js';
import { linearScale, linearTicks } from '../../src/training/report/scale.js';

const picture: HeatMap = {
  title: 'Lattice <b>',
  caption: 'A grid.',
  rows: 2,
  columns: 3,
  values: Float32Array.of(0, 1, 2, 3, Number.NEGATIVE_INFINITY, 5),
  xLabel: 'frame',
  yLabel: 'token',
  rowNames: ['one', 'two'],
  path: [
    [0, 0],
    [2, 1],
  ],
};

const page = reportPage({
  title: 'run & co',
  facts: [['step', '10']],
  rows: [
    { step: 5, 'train/loss': 2, 'train/learning_rate': 0.1, mine: 4 },
    { step: 10, 'train/loss': null, val_wer: 0.5, 'system/rss_mb': 100 },
    { step: 15, 'train/loss': 1, 'test/wer': 0.25 },
  ],
  samples: [{ name: 'a.wav', reference: 'one two three', hypothesis: 'one too' }],
  pictures: [picture],
});

describe('the report', () => {
  it('needs nothing but itself', () => {
    const links = page.match(/(?:href|src)="(?!data:)[^"]*"|url\(|@import|<script/g);
    expect(links).toBeNull();
    expect(page).toContain('data:image/png;base64,');
  });

  it('draws the curves it has values for, and leaves out what is not finite', () => {
    expect(page.match(/<polyline class="line/g)).toHaveLength(5);
    expect(page).toContain('train/loss at step 5: 2');
    expect(page).not.toContain('train/loss at step 10');
    expect(page).not.toContain('Gradient norm');
  });

  it('draws what users log themselves, and the names of before under those of today', () => {
    expect(page).toContain('mine at step 5: 4');
    expect(page).toContain('val/wer at step 10: 0.5');
    expect(page.indexOf('mine at step 5')).toBeLessThan(page.indexOf('<details>'));
    expect(page.indexOf('system/rss_mb at step 10')).toBeGreaterThan(page.indexOf('<details>'));
  });

  it('tells what a test found among the latest values', () => {
    const facts = summaryFacts([
      { step: 5, 'train/loss': 2 },
      { step: 9, 'test/wer': 0.25, 'test/seconds': 3 },
    ]);
    expect(facts.map(([name]) => name)).toEqual(['train/loss', 'test/wer']);
  });

  it('aligns the samples', () => {
    const row = (...cells: string[]) => cells.map((cell) => `<td${cell}</td>`).join('');
    const m = ' class="match">one';
    expect(page).toContain(row(m, ' class="deletion">two', ' class="substitution">three'));
    expect(page).toContain(row(m, '>', ' class="substitution">too'));
  });

  it('escapes what it is given', () => {
    expect(page).toContain('run &amp; co');
    expect(page).toContain('Lattice &lt;b&gt;');
  });

  it('shows what would not be seen, or would change what is', () => {
    const sample = { name: 'a\u202ewav.\u2066b', reference: '\u001b[31m', hypothesis: '\u0000' };
    const html = reportPage({ title: '\u202d', facts: [], rows: [], samples: [sample], pictures: [] });
    for (const shown of ['a\\u202ewav.\\u2066b', '\\x1b[31m', '\\x00', '\\u202d'])
      expect(html).toContain(shown);
  });
});

describe('scales', () => {
  it('have round ticks', () => {
    expect(linearTicks(0, 10)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(linearTicks(3, 3).length).toBeGreaterThan(0);
    const scale = linearScale([0.3, 8.7], [0, 100], { nice: true });
    expect([scale.at(0), scale.at(10)]).toEqual([0, 100]);
  });
});
