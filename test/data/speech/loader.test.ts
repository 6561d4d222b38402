import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Augmentor, MelFrontEnd, SpectrogramAugmentation } from '../../../src/audio/index.js';
import {
  type BadUtterance,
  type BatchingConfig,
  type LoaderConfig,
  type PipelineConfig,
  readManifests,
  type SpeechBatch,
  SpeechDataset,
  SpeechSource,
  utterancesOf,
} from '../../../src/data/index.js';
import { type Corpus, makeCorpus, RATE, tone } from './corpus.js';

const PREPROCESSOR = { sample_rate: RATE, features: 16, window_size: 0.025, dither: 1e-3 };
const AUGMENTED: Partial<PipelineConfig> = {
  training: true,
  augmentor: Augmentor.fromConfig({ white_noise: { prob: 0.7, min_level: -50, max_level: -30 } }),
  specAugment: new SpectrogramAugmentation({ freq_masks: 1, time_masks: 1, freq_width: 4, time_width: 5 }),
};

const corpora: Corpus[] = [];
const sources: SpeechSource[] = [];
function corpus(...args: Parameters<typeof makeCorpus>): Corpus {
  const made = makeCorpus(...args);
  corpora.push(made);
  return made;
}
afterAll(async () => {
  await Promise.all(sources.map((s) => s.close()));
  for (const made of corpora) made.remove();
});

interface Choices {
  batching?: Partial<BatchingConfig>;
  pipeline?: Partial<PipelineConfig>;
  loader?: Partial<LoaderConfig>;
  onBad?: (bad: BadUtterance) => void;
}

async function open(manifest: string, { batching, pipeline, loader, onBad }: Choices = {}) {
  const entries = await readManifests(manifest);
  const encoded = entries.map(({ text }) => [...text].map(() => 7));
  const frontEnd = new MelFrontEnd(PREPROCESSOR);
  const dataset = new SpeechDataset(utterancesOf(entries), encoded, frontEnd);
  const source = new SpeechSource({
    name: 'train',
    dataset,
    batching: { batch_size: 4, shuffle: true, num_buckets: 3, ...batching },
    pipeline: { frontEnd, training: true, seed: 3, ...pipeline },
    loader: { workers: 0, ...loader },
    onBad,
  });
  sources.push(source);
  return source;
}

async function collect(source: SpeechSource, epoch: number, from?: number): Promise<SpeechBatch[]> {
  const batches: SpeechBatch[] = [];
  for await (const batch of source.epoch(epoch, from)) batches.push(batch);
  return batches;
}

describe('a batch', () => {
  it('holds features as the front end computes them, padded with zeros, and padded targets', async () => {
    const { manifest, durations } = corpus(9);
    const source = await open(manifest, { pipeline: { training: false }, batching: { shuffle: false } });
    const batches = await collect(source, 0);
    expect(batches.flatMap((b) => b.indices).sort((a, b) => a - b)).toEqual(durations.map((_, i) => i));
    const frontEnd = new MelFrontEnd(PREPROCESSOR);
    for (const { inputs, indices, size, texts, names, units } of batches) {
      const [rows, frames, bins] = inputs.features.shape;
      expect([rows, bins]).toEqual([size, 16]);
      expect(inputs.targets.shape[0]).toBe(size);
      const width = inputs.targets.shape[1];
      let seconds = 0;
      indices.forEach((index, row) => {
        seconds += durations[index];
        // 16-bit files: compare with the rounded waveform.
        const samples = tone(durations[index], 200 + 13 * index).map((x) => Math.round(x * 32768) / 32768);
        const own = frontEnd.compute(samples);
        expect(inputs.featureLengths.data[row]).toBe(own.frames);
        const flat = inputs.features.data.subarray(row * frames * bins, (row + 1) * frames * bins);
        let difference = 0;
        own.features.forEach((x, i) => {
          difference = Math.max(difference, Math.abs(x - flat[i]));
        });
        expect(difference).toBeLessThan(1e-2);
        expect(flat.subarray(own.frames * bins).every((x) => x === 0)).toBe(true);
        const tokens = texts?.[row].length ?? -1;
        expect(inputs.targetLengths.data[row]).toBe(tokens);
        const target = [...inputs.targets.data.subarray(row * width, (row + 1) * width)];
        expect(target).toEqual(Array.from({ length: width }, (_, u) => (u < tokens ? 7 : 0)));
        expect(names[row]).toContain(`u${index}.wav`);
      });
      expect(units).toBeCloseTo(seconds, 2);
    }
  });

  it('has targets at least one wide when all transcripts are empty', async () => {
    const { manifest } = corpus(4, (line) => {
      line.text = '';
    });
    const [batch] = await collect(await open(manifest), 0);
    expect(batch.inputs.targets.shape[1]).toBeGreaterThanOrEqual(1);
    expect([...batch.inputs.targetLengths.data]).toEqual([0, 0, 0, 0]);
  });
});

describe('an epoch', () => {
  it('is the same for any number of workers, bit for bit, and another one each epoch', async () => {
    const { manifest } = corpus(17);
    const runs = await Promise.all(
      [0, 1, 3].map(async (workers) =>
        collect(await open(manifest, { pipeline: AUGMENTED, loader: { workers } }), 2),
      ),
    );
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
    const source = await open(manifest, { pipeline: AUGMENTED });
    const order = (batches: SpeechBatch[]) => batches.flatMap((b) => b.indices).join();
    const other = await collect(source, 3);
    expect(order(other)).not.toBe(order(runs[0]));
    const sorted = (batches: SpeechBatch[]) => batches.flatMap((b) => b.indices).sort((x, y) => x - y);
    expect(sorted(other)).toEqual(sorted(runs[0]));
  });

  it('goes on from a batch number as if it had run from the start', async () => {
    const { manifest } = corpus(17);
    const whole = await collect(await open(manifest, { pipeline: AUGMENTED, loader: { workers: 1 } }), 1);
    const source = await open(manifest, { pipeline: AUGMENTED });
    expect(source.batchesInEpoch(1)).toBe(whole.length);
    expect(await collect(source, 1, 2)).toEqual(whole.slice(2));
    expect(await collect(source, 1, whole.length)).toEqual([]);
  });

  it('can be left early and run again; closing ends the workers', async () => {
    const { manifest } = corpus(17);
    const source = await open(manifest, { loader: { workers: 2 } });
    const first: SpeechBatch[] = [];
    for await (const batch of source.epoch(0)) {
      first.push(batch);
      if (first.length === 2) break;
    }
    expect(source.gauges().queue).toBe(0);
    const again = await collect(source, 0);
    expect(again.slice(0, 2)).toEqual(first);
    await source.close();
    await expect(collect(source, 0)).rejects.toMatchObject({ code: 'data.closed' });
  });
});

describe('a program', () => {
  it('ends although it left an epoch early and closed nothing', () => {
    const { manifest } = corpus(12);
    const script = fileURLToPath(new URL('../leaving.ts', import.meta.url));
    const out = execFileSync(process.execPath, ['--import', 'tsx', script, manifest], { timeout: 50_000 });
    expect(String(out)).toBe('left after 2\n');
  });
});

describe('unusable recordings', () => {
  const broken = (line: { audio_filepath: string }, i: number, folder: string) => {
    if (i === 5) writeFileSync(join(folder, line.audio_filepath), 'not audio at all');
    if (i === 8) line.audio_filepath = 'wavs/none.wav';
  };

  it('are left out of evaluation and stood in for in training, counted, and named with their line', async () => {
    const { manifest } = corpus(12, broken);
    const seen: BadUtterance[] = [];
    const evaluation = await open(manifest, {
      pipeline: { training: false },
      onBad: (bad) => seen.push(bad),
    });
    const batches = await collect(evaluation, 0);
    const rows = batches.flatMap((b) => b.indices).sort((a, b) => a - b);
    expect(rows).toEqual([0, 1, 2, 3, 4, 6, 7, 9, 10, 11]);
    expect(seen.map((bad) => bad.index).sort()).toEqual([5, 8]);
    expect(seen.find((bad) => bad.index === 5)?.message).toContain('train.jsonl:6');
    expect(evaluation.gauges().skipped).toBe(2);

    const training = await open(manifest, { loader: { workers: 1 } });
    const shapes = (await collect(training, 0)).map((b) => b.size);
    expect(shapes).toEqual([4, 4, 4]);
  });

  it('end the run when configured so', async () => {
    const { manifest } = corpus(12, broken);
    const source = await open(manifest, { loader: { onBadAudio: 'fail', workers: 1 } });
    await expect(collect(source, 0)).rejects.toMatchObject({ code: 'data.bad-audio' });
  });

  it('end the run when nothing is usable', async () => {
    const { manifest } = corpus(6, (line) => {
      line.audio_filepath = 'gone.wav';
    });
    for (const training of [true, false]) {
      const source = await open(manifest, { pipeline: { training } });
      await expect(collect(source, 0)).rejects.toMatchObject({ code: 'data.unusable' });
    }
  });
});
