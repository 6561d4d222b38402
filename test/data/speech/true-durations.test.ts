// What a manifest says about durations is compared with the recordings before batches are planned.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readManifests } from '../../../src/data/index.js';
import { withTrueDurations } from '../../../src/data/speech/true-durations.js';
import { makeCorpus, tone, wav } from './corpus.js';

const corpus = makeCorpus(3);
afterAll(() => corpus.remove());
writeFileSync(join(corpus.folder, 'long.wav'), wav(tone(2, 300)));
const add = (fields: object) =>
  appendFileSync(corpus.manifest, `${JSON.stringify({ text: 'a', ...fields })}\n`);
add({ audio_filepath: 'long.wav', duration: 300 });
add({ audio_filepath: 'long.wav', duration: 1e7, offset: 0.5 });
add({ audio_filepath: 'none.wav', duration: 1e7 });
add({ audio_filepath: 'long.wav', duration: 2.3 });
add({ audio_filepath: 'long.wav', duration: 1, offset: 0.25 });

describe('durations', () => {
  it('are no longer than the recordings; rounding and segments are left alone', async () => {
    const lines: string[] = [];
    const entries = await withTrueDurations(await readManifests(corpus.manifest), (line) => lines.push(line));
    expect(entries.slice(0, 3).map((e) => e.duration)).toEqual(corpus.durations);
    expect(entries.slice(3).map((e) => e.duration)).toEqual([2, 1.5, 60, 2.3, 1]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^warning: 2 utterances are shorter .*:4: .*long\.wav says 300 s and has 2\.00 s$/,
    );
  });
});
