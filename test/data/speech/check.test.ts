import { copyFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  checkManifests,
  type FindingKind,
  histogram,
  renderHistogram,
  renderReport,
  reportToJson,
  TextFit,
} from '../../../src/data/index.js';
import { CharTokenizer } from '../../../src/text/index.js';
import { type Corpus, makeCorpus, RATE, tone, wav } from './corpus.js';

const corpora: Corpus[] = [];
afterAll(() => {
  for (const made of corpora) made.remove();
});

/** One of everything that can be wrong; each utterance is 0.8 s or longer unless said. */
function badCorpus(): Corpus {
  const made = makeCorpus(18, (line, i, folder) => {
    const file = join(folder, line.audio_filepath);
    line.text = 'ab';
    line.speaker = i % 3;
    if (i === 1) line.audio_filepath = 'wavs/none.wav';
    if (i === 2) writeFileSync(file, 'RIFFnot really a wave file');
    if (i === 3) truncateSync(file, 1000);
    if (i === 4) writeFileSync(file, '');
    if (i === 5) {
      copyFileSync(file, join(folder, 'wavs/u5.mp3'));
      line.audio_filepath = 'wavs/u5.mp3';
    }
    if (i === 6) line.offset = 99;
    if (i === 7) line.duration += 3;
    if (i === 8) line.text = 'aöb€';
    if (i === 9) line.text = 'a'.repeat(200);
    if (i === 10) line.text = '  ';
    if (i === 11) writeFileSync(file, wav(tone(0.05, 300)));
    if (i === 11) line.duration = 0.05;
    if (i === 12) writeFileSync(file, wav(tone(9, 300)));
    if (i === 12) line.duration = 9;
    if (i === 14) line.audio_filepath = 'wavs/u13.wav';
    if (i === 14) line.duration = 0.2 + ((13 * 37) % 13) / 10;
    if (i === 16) copyFileSync(join(folder, 'wavs/u15.wav'), file);
    if (i === 16) line.duration = 0.2 + ((15 * 37) % 13) / 10;
    if (i === 17) line.duration = -1;
  });
  corpora.push(made);
  return made;
}

const options = {
  tokenizer: new CharTokenizer(['a', 'b', ' '], { unkToken: undefined }),
  preprocessor: { sample_rate: RATE },
  loss: 'ctc',
  maxDuration: 5,
} as const;

describe('the check of a manifest', () => {
  it('finds one of everything, with its line', async () => {
    const { manifest } = badCorpus();
    const report = await checkManifests(manifest, { ...options, workers: 0, deep: true });
    const found = report.findings.map((f): [FindingKind, number | undefined] => [f.kind, f.position.line]);
    expect(new Map(found)).toEqual(
      new Map<FindingKind, number>([
        ['missing', 2],
        ['corrupt', 3],
        ['truncated', 4],
        ['empty', 5],
        ['mislabelled', 6],
        ['out-of-range', 7],
        ['duration-mismatch', 8],
        ['unknown-characters', 9],
        ['text-does-not-fit', 10],
        ['empty-text', 11],
        ['too-short', 12],
        ['too-long', 13],
        ['duplicate', 15],
        ['same-audio', 17],
        ['bad-line', 18],
      ]),
    );
    expect(found).toHaveLength(15);
    expect(report.fatal).toBe(true);
    expect(report.utterances).toBe(17);
    expect(report.speakers).toBe(3);
    expect([...report.unknownCharacters]).toEqual([
      ['ö', 1],
      ['€', 1],
    ]);
    expect(Object.fromEntries(report.sampleRates)).toEqual({ '8000 Hz': 12 });
    expect(Object.fromEntries(report.formats)).toEqual({ wav: 12 });
    const text = renderReport(report);
    expect(text).toContain(`${manifest}:2:`);
    expect(text).toContain('"ö" (U+00F6)');
    expect(text).toMatch(/\d+ errors, \d+ warnings$/);
    const json = JSON.parse(JSON.stringify(reportToJson(report))) as { findings: { fatal: boolean }[] };
    expect(json.findings.filter((f) => f.fatal)).toHaveLength(8);
  });

  it('sees the same in worker threads, and nothing wrong where nothing is', async () => {
    const { manifest } = badCorpus();
    const [inline, threaded] = await Promise.all(
      [0, 2].map((workers) => checkManifests(manifest, { ...options, workers, deep: true })),
    );
    expect(threaded).toEqual(inline);
    const good = makeCorpus(5);
    corpora.push(good);
    const report = await checkManifests(good.manifest, { ...options, loss: 'rnnt', workers: 0 });
    expect(report.findings).toEqual([]);
    expect(report.fatal).toBe(false);
    expect(renderReport(report)).toMatch(/nothing to complain about$/);
  });

  it('knows how many frames a text needs', () => {
    const ctc = new TextFit({ preprocessor: { sample_rate: 16000 }, subsampling: 4, loss: 'ctc' });
    // 1 s: 100 frames of 10 ms, halved twice.
    expect(ctc.encoderFrames(1)).toBe(25);
    expect(ctc.encoderFrames(1.01)).toBe(26);
    expect(
      ctc.complaint(
        Array.from({ length: 25 }, (_, i) => i),
        1,
      ),
    ).toBeUndefined();
    expect(ctc.complaint(Array(13).fill(1), 1)).toBeUndefined();
    expect(ctc.complaint(Array(14).fill(1), 1)?.kind).toBe('text-does-not-fit');
    const rnnt = new TextFit({ subsampling: 8 });
    expect(rnnt.complaint(Array(13).fill(1), 1)).toBeUndefined();
    expect(rnnt.complaint(Array(14).fill(1), 1)?.kind).toBe('text-is-long');
  });
});

describe('histograms', () => {
  it('have round bounds and count everything', () => {
    const values = Array.from({ length: 100 }, (_, i) => 0.5 + i * 0.1);
    const h = histogram(values);
    expect(h?.bins.map((b) => b.from)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(h?.bins.reduce((sum, b) => sum + b.count, 0)).toBe(100);
    expect([h?.minimum, h?.median, h?.maximum].map((x) => x?.toFixed(2))).toEqual(['0.50', '5.50', '10.40']);
    expect(histogram([])).toBeUndefined();
    expect(histogram([3, 3, 3])?.bins).toEqual([{ from: 3, to: 4, count: 3 }]);
    const bars = renderHistogram(histogram([1, 1, 1, 1, 9])!, 's', 8);
    expect(bars[0]).toBe('     1 –     2 s  ████████  4');
    expect(bars.at(-1)).toContain('██        1');
  });
});

describe('names of strangers', () => {
  it('names the place of a bad line once, also of a manifest whose name has controls', async () => {
    const made = makeCorpus(1);
    corpora.push(made);
    const file = join(made.folder, 'a\u001b[31m.json');
    writeFileSync(file, 'x\n');
    const report = await checkManifests([file], { workers: 0 });
    expect(report.findings.map(({ kind }) => kind)).toEqual(['bad-line']);
    expect(report.findings[0].message).toMatch(/^the line is not JSON/);
  });
});
