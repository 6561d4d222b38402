import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MelFrontEnd } from '../../../src/audio/index.js';
import {
  openTranscriptionSource,
  type SpeechBatch,
  type TranscriptionInput,
} from '../../../src/data/index.js';
import { bucketBounds } from '../../../src/data/speech/transcription.js';
import { makeCorpus, RATE, tone } from './corpus.js';

const preprocessor = { sample_rate: RATE, features: 8 };
const corpus = makeCorpus(12);
afterAll(() => corpus.remove());
const file = (i: number) => join(corpus.folder, 'wavs', `u${i}.wav`);

async function collect(inputs: readonly TranscriptionInput[], workers: number) {
  const source = await openTranscriptionSource(inputs, {
    frontEnd: new MelFrontEnd(preprocessor),
    batchSize: 4,
    workers,
  });
  const batches: SpeechBatch[] = [];
  for await (const batch of source.batches()) batches.push(batch);
  await source.close();
  return { batches, failures: source.failures(), total: source.total };
}

describe('transcription batches', () => {
  it('take files, segments and waveforms, go from short to long, and name their inputs', async () => {
    writeFileSync(join(corpus.folder, 'bad.wav'), 'nothing');
    const waveform = tone(0.9, 500);
    const inputs: TranscriptionInput[] = [
      ...Array.from({ length: 12 }, (_, i) => file(i)),
      waveform,
      { audioPath: file(6), offset: 0.1, duration: 0.2 },
      join(corpus.folder, 'none.wav'),
      join(corpus.folder, 'bad.wav'),
    ];
    const { batches, failures, total } = await collect(inputs, 0);
    expect(total).toBe(16);
    expect([...failures.keys()].sort((a, b) => a - b)).toEqual([14, 15]);
    const rows = batches.flatMap((b) =>
      b.indices.map((index, row) => [index, b.inputs.featureLengths.data[row]]),
    );
    expect(rows.map(([index]) => index).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 14 }, (_, i) => i),
    );
    const frontEnd = new MelFrontEnd(preprocessor);
    const frames = new Map(rows.map(([index, n]) => [index, n]));
    expect(frames.get(12)).toBe(frontEnd.frameCount(waveform.length));
    expect(frames.get(13)).toBe(frontEnd.frameCount(0.2 * RATE));
    corpus.durations.forEach((s, i) => {
      expect(frames.get(i)).toBe(frontEnd.frameCount(Math.round(s * RATE)));
    });
    const lengths = rows.map(([, n]) => n);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
    expect((await collect(inputs, 2)).batches).toEqual(batches);
  });

  it.each([
    [new Float32Array(100).fill(Number.NaN), 'waveform 0: sample 0 is NaN, which is no audio'],
    [Float32Array.of(0, Number.POSITIVE_INFINITY), 'waveform 0: sample 1 is Infinity, which is no audio'],
    [Float32Array.of(0, 0, -3e38), /^waveform 0: sample 2 is -\S+, which is no audio$/],
    [new Float32Array(0), 'waveform 0: 0 samples are too few'],
    [[0, 1, 2], /^input 0: expected a path, \{ audioPath \} or a Float32Array, got a value of type Array$/],
    [new Float64Array(9), /got a value of type Float64Array$/],
    [null, /got null$/],
    [undefined, /got undefined$/],
    [7, /got a number$/],
    [{}, /got an object without audioPath$/],
    ['', 'input 0: the path is empty'],
    [{ audioPath: 'a.wav', offset: -1 }, 'input 0: offset is -1; it must be at least 0 seconds'],
    [
      { audioPath: 'a.wav', duration: Number.NaN },
      'input 0: duration is NaN; it must be more than 0 seconds',
    ],
  ])('%#: what is no recording is told, and the others are done', async (input, message) => {
    const { batches, failures } = await collect([input as TranscriptionInput, file(3)], 0);
    expect(failures.get(0)).toMatch(message);
    expect(batches.flatMap((batch) => batch.indices)).toEqual([1]);
  });

  it('have the frames that the recordings have, whatever durations are asked for', async () => {
    const plain = await collect([file(2)], 0);
    const claimed = await collect([{ audioPath: file(2), duration: 300 }], 0);
    expect(claimed.batches[0].inputs.features.shape).toEqual(plain.batches[0].inputs.features.shape);
  });

  it('are padded to their own longest recording, many batches to that of their neighbours', () => {
    const seconds = Array.from({ length: 20 }, (_, i) => i + 1);
    expect(bucketBounds(seconds, 8, 1000)).toEqual([8, 16, 20]);
    // 9 of at most 9 seconds fill 81 seconds; 5 of at most 14 do, a sixth of 15 would not fit.
    expect(bucketBounds(seconds, 100, 81)).toEqual([9, 14, 18, 20]);
    expect(bucketBounds(seconds, 1, 1000)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    expect(bucketBounds([], 8, 1000)).toEqual([]);
  });

  it('go on after any number of recordings that cannot be decoded', async () => {
    const cut = join(corpus.folder, 'cut.wav');
    writeFileSync(cut, readFileSync(file(0)).subarray(0, 60));
    const inputs = [...Array.from({ length: 40 }, () => cut), file(3)];
    const { batches, failures } = await collect(inputs, 0);
    expect(batches.flatMap((b) => b.indices)).toEqual([40]);
    expect(failures.size).toBe(40);
    expect(failures.get(7)).toMatch(/^\S+cut\.wav: the file ends early/);
    expect((await collect([cut], 0)).failures.size).toBe(1);
  });

  it('are none for no input and for none that can be used', async () => {
    expect((await collect([], 0)).batches).toEqual([]);
    const { batches, failures } = await collect(['/no/such.wav'], 0);
    expect(batches).toEqual([]);
    expect(failures.get(0)).toContain('/no/such.wav');
  });
});
