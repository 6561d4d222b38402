import { readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createFrontEnd,
  type FrontEndConfig,
  MelFrontEnd,
  resample,
  type SpecAugmentConfig,
  SpectrogramAugmentation,
} from '../../../src/audio/index.js';
import { configFromText } from '../../../src/config/index.js';
import {
  cacheSize,
  dataSchema,
  type OpenSourceOptions,
  openEvaluationSources,
  openSpeechSource,
  type SpeechBatch,
  type SpeechSource,
  unknownTextOf,
} from '../../../src/data/index.js';
import { AnemoneError } from '../../../src/errors/index.js';
import { encodeWav } from '../../../src/formats/index.js';
import {
  CharTokenizer,
  SentencePieceTokenizer,
  type Tokenizer,
  WordTokenizer,
} from '../../../src/text/index.js';
import { type Corpus, makeCorpus, RATE, tone, wav } from './corpus.js';

const PREPROCESSOR = { sample_rate: RATE, features: 16, dither: 1e-5 };
const corpora: Corpus[] = [];
const sources: SpeechSource[] = [];
afterAll(async () => {
  await Promise.all(sources.map((s) => s.close()));
  for (const made of corpora) made.remove();
});
function corpus(...args: Parameters<typeof makeCorpus>): Corpus {
  const made = makeCorpus(...args);
  corpora.push(made);
  return made;
}

interface Changes extends Partial<Omit<OpenSourceOptions, 'specAugment'>> {
  preprocessor?: FrontEndConfig;
  specAugment?: Partial<SpecAugmentConfig>;
}

function options(
  corpus: Corpus,
  yaml: string,
  { preprocessor = PREPROCESSOR, specAugment, ...more }: Changes = {},
): OpenSourceOptions {
  const text = `manifest_filepath: ${corpus.manifest}\nnum_workers: 0\n${yaml}`;
  return {
    name: 'train_ds',
    section: dataSchema.parse(configFromText(text)),
    training: true,
    seed: 1,
    frontEnd: createFrontEnd(preprocessor),
    specAugment: specAugment && new SpectrogramAugmentation(specAugment),
    tokenize: (t) => [...t].map((c) => c.charCodeAt(0)),
    ...more,
  };
}
async function open(...args: Parameters<typeof options>): Promise<SpeechSource> {
  const source = await openSpeechSource(options(...args));
  if (!source) throw new Error('no source');
  sources.push(source);
  return source;
}
async function collect(source: SpeechSource, epoch = 0): Promise<SpeechBatch[]> {
  const batches: SpeechBatch[] = [];
  for await (const batch of source.epoch(epoch)) batches.push(batch);
  return batches;
}

describe('a data section', () => {
  it("takes NeMo's own, warns of what has no effect, and reports every mistake", () => {
    const nemo = configFromText(`
manifest_filepath: a.json
sample_rate: 16000
batch_size: 16
shuffle: true
num_workers: 8
pin_memory: true
max_duration: 16.7
min_duration: 0.1
is_tarred: false
tarred_audio_filepaths: null
shuffle_n: 2048
bucketing_strategy: "synced_randomized"
bucketing_batch_size: null
`);
    const { errors, warnings, value } = dataSchema.validate(nemo);
    expect(errors).toEqual([]);
    expect(warnings.map((w) => w.path)).toEqual(['pin_memory', 'shuffle_n']);
    expect(value).toMatchObject({ batch_size: 16, max_duration: 16.7, on_bad_audio: 'skip' });
    const wrong = configFromText('batch_size: 0\nmin_durations: 1\nbucketing_strategy: random');
    expect(dataSchema.validate(wrong).errors.map((e) => e.path)).toEqual([
      'min_durations',
      'batch_size',
      'bucketing_strategy',
    ]);
    const together = configFromText('is_tarred: true\nmin_duration: 5\nmax_duration: 1');
    expect(dataSchema.validate(together).errors.map((e) => e.path)).toEqual([
      'batch_size',
      'tarred_audio_filepaths',
      'min_duration',
    ]);
  });

  it('opens a source that says what it dropped and what an epoch will be', async () => {
    const lines: string[] = [];
    const source = await open(corpus(20), 'batch_size: 4\nmax_duration: 1.0\nmax_tps: 11', {
      log: (line) => lines.push(line),
    });
    expect(lines[0]).toMatch(/^train_ds: \d+ utterances \([\d.]+ s\) dropped by max_duration$/);
    expect(lines.at(-1)).toMatch(/utterances in \d+ batches of \d+ shapes, [\d.]+% padding, largest batch/);
    const batches = await collect(source);
    expect(batches.length).toBe(source.batchesInEpoch(0));
    expect(batches[0].inputs.targets.data[0]).toBe(97);
  });

  it('is no source without a manifest, and several for evaluation on several', async () => {
    const made = corpus(6);
    const none = options(made, 'batch_size: 2');
    expect(await openSpeechSource({ ...none, section: { ...none.section, manifest_filepath: null } })).toBe(
      undefined,
    );
    const other = join(made.folder, 'other.json');
    writeFileSync(other, readFileSync(made.manifest).subarray(0));
    const section = { ...none.section, manifest_filepath: [made.manifest, other] };
    const opened = await openEvaluationSources({ ...none, section });
    sources.push(...opened);
    expect(opened.map((s) => s.name)).toEqual(['train', 'other']);
  });

  it('refuses another sample rate, no utterances, too few for a batch, and text the tokenizer refuses', async () => {
    const made = corpus(3);
    await expect(open(made, 'batch_size: 2\nsample_rate: 16000')).rejects.toMatchObject({
      code: 'data.sample-rate',
    });
    await expect(open(made, 'batch_size: 2\nmin_duration: 50')).rejects.toMatchObject({
      code: 'data.all-filtered',
    });
    await expect(open(made, 'batch_size: 2\nmin_tps: 100')).rejects.toThrow(
      /no utterance is left: 3 utterances \([\d.]+ s\) dropped by min_tps/,
    );
    const both = open(made, 'batch_size: 2\nmax_utts: 2\nmax_tps: 0.1');
    await expect(both).rejects.toThrow(
      /1 utterances .* dropped by max_utts; 2 utterances .* dropped by max_tps/,
    );
    await expect(open(made, 'batch_size: 4\ndrop_last: true')).rejects.toMatchObject({
      code: 'data.no-batch',
    });
    const tokenize = () => {
      throw new AnemoneError({ code: 'text.unknown-character', message: 'cannot encode' });
    };
    await expect(open(made, 'batch_size: 2', { tokenize })).rejects.toThrow(/train\.jsonl:1: cannot encode/);
  });
});

describe('batches of training without shuffling', () => {
  const inOrder = Array.from({ length: 13 }, (_, i) => i);
  const orderOf = async (yaml: string, epoch = 0) =>
    (await collect(await open(corpus(13), `batch_size: 3\nshuffle: false${yaml}`), epoch)).flatMap(
      ({ indices }) => [...indices],
    );

  it('are consecutive lines, in every epoch', async () => {
    for (const epoch of [0, 1]) expect(await orderOf('', epoch)).toEqual(inOrder);
    expect(await orderOf('\nbucketing_batch_size: null\nuse_bucketing: false')).toEqual(inOrder);
    expect(await orderOf('\nnum_buckets: 1\nbucket_duration_bins: [5]')).toEqual(inOrder);
  });

  it.each([
    'num_buckets: 2',
    'use_bucketing: true',
    'bucket_duration_bins: [0.5, 2]',
    'bucketing_batch_size: 2',
    'bucket_batch_size: [2, 2]',
    'bucketing_strategy: fixed_order',
    'batch_duration: 3',
  ])('are of like lengths with %s', async (key) => {
    expect(await orderOf(`\n${key}`)).not.toEqual(inOrder);
  });
});

describe('transcripts with what the tokenizer does not know', () => {
  const opened = async (texts: readonly string[], tokenizer: Tokenizer, yaml = '') => {
    const lines: string[] = [];
    const made = corpus(texts.length, (line, i) => {
      line.text = texts[i];
    });
    await open(made, `batch_size: 1\n${yaml}`, {
      tokenize: (text) => tokenizer.textToIds(text),
      unknown: unknownTextOf(tokenizer),
      log: (line) => lines.push(line),
    });
    return lines.filter((line) => line.includes('does not know'));
  };
  const letters = new CharTokenizer(['a', 'b', ' ']);

  it('are told of once, with counts, the first line, and what to do', async () => {
    const [line, ...more] = await opened(['ab', 'açb', 'çç é', 'b a'], letters);
    expect(more).toEqual([]);
    expect(line).toMatch(
      /^train_ds: warning: 2 of 4 transcripts have characters .*: "ç" \(U\+00E7\) in 2, "é" \(U\+00E9\) in 1; the first is .*train\.jsonl:2\. They are left out, .* make them labels or tokens; .* manifest check/,
    );
    expect(line).not.toContain('lower-case');
    expect(await opened(['ab', 'b a'], letters)).toEqual([]);
    expect((await opened(['AB', 'ab'], letters))[0]).toContain('lower-case the transcripts');
    const many = Array.from({ length: 30 }, (_, i) => String.fromCharCode(0x400 + i)).join('');
    expect((await opened([many], letters))[0]).toContain(', and 10 more;');
  });

  it('can end the run instead', async () => {
    await expect(opened(['ab', 'açb'], letters, 'on_unknown_text: fail')).rejects.toMatchObject({
      code: 'data.unknown-text',
      message: expect.stringMatching(/1 of 2 transcripts.*train\.jsonl:2 — clean/),
    });
  });

  it('are found with every kind of tokenizer', async () => {
    const words = new WordTokenizer(['<unk>', 'good', 'day'], { unkToken: '<unk>' });
    expect((await opened(['good day', 'bad day'], words))[0]).toMatch(
      /have words .*: "bad" in 1; .* replaced by <unk>/,
    );
    const pieces = SentencePieceTokenizer.fromBytes(readFileSync('test/fixtures/text/test_model.model'));
    expect(await opened(['I saw a girl'], pieces)).toEqual([]);
    expect((await opened(['I saw', 'I saw 猫'], pieces))[0]).toMatch(
      /1 of 2 .*"猫" \(U\+732B\) in 1; .*:2\. They are replaced by <unk>/,
    );
  });
});

describe('the front end of a batch', () => {
  it('pads frames to a multiple of pad_to with pad_value, as planned', async () => {
    const made = corpus(9);
    for (const pad_to of [24, 0, 'max'] as const) {
      const preprocessor = { ...PREPROCESSOR, dither: 0, pad_to, pad_value: -3, max_duration: 2 };
      const source = await open(made, 'batch_size: 2', { preprocessor });
      const planned = new Set(source.estimate().shapes.map((shape) => shape.frames));
      for (const { inputs, size } of await collect(source)) {
        const [, frames, bins] = inputs.features.shape;
        expect(planned).toContain(frames);
        if (pad_to === 24) expect(frames % 24).toBe(0);
        if (pad_to === 'max') expect(frames).toBe(200);
        for (let row = 0; row < size; row++) {
          const valid = inputs.featureLengths.data[row];
          const rest = inputs.features.data.slice((row * frames + valid) * bins, (row + 1) * frames * bins);
          expect(rest.length > 0 && rest.every((x) => x === -3)).toBe(true);
        }
      }
    }
  });

  it('says how many frames the batch has as NeMo would pad it, whatever bucket it is in', async () => {
    const made = corpus(9);
    for (const compat of ['2.5', '1.x'] as const) {
      for (const pad_to of [16, 0]) {
        for (const bins of ['', '\nbucket_duration_bins: [5]']) {
          const preprocessor = { ...PREPROCESSOR, dither: 0, pad_to, nemo_compat: compat };
          const frontEnd = new MelFrontEnd(preprocessor);
          const source = await open(made, `batch_size: 2${bins}`, { preprocessor });
          for (const { inputs, indices } of await collect(source)) {
            const whole = frontEnd.computeBatch(indices.map((i) => tone(made.durations[i], 300)));
            expect([...inputs.batchFrames.data]).toEqual([whole.shape[2]]);
            expect(inputs.features.shape[1]).toBeGreaterThanOrEqual(whole.shape[2]);
          }
        }
      }
    }
  });

  it('says so of MFCCs too, of recordings that end where a frame begins and of others, read anew or from the cache', async () => {
    const made = corpus(6, (line, i, folder) => {
      const samples = tone(0.3 + 0.1 * i + (i % 2 === 0 ? 0 : 0.003), 300);
      writeFileSync(join(folder, line.audio_filepath), wav(samples));
      line.duration = samples.length / RATE;
    });
    const preprocessor = { _target_: 'AudioToMFCCPreprocessor', sample_rate: RATE, n_mels: 16, n_mfcc: 8 };
    const cache = `feature_cache: ${join(made.folder, 'cache')}`;
    const counts = async (yaml: string) => {
      const frames: number[] = [];
      for (const { inputs } of await collect(
        await open(made, `batch_size: 1\nshuffle: false\n${yaml}`, { preprocessor }),
      )) {
        frames.push(inputs.batchFrames.data[0] - inputs.featureLengths.data[0]);
      }
      return frames;
    };
    // A centred transform of n samples has 1 + floor(n / hop) columns, of which ceil(n / hop) are valid.
    const beyond = [1, 0, 1, 0, 1, 0];
    for (const yaml of ['', cache, cache]) expect(await counts(yaml)).toEqual(beyond);
  });

  it('hears recordings of another rate by the resampler that the section names', async () => {
    const other = Float32Array.from({ length: 9000 }, (_, i) => 0.3 * Math.sin(2e-5 * i * i));
    const made = corpus(1, (line, _i, folder) => {
      writeFileSync(
        join(folder, line.audio_filepath),
        encodeWav([other], { sampleRate: 11025, encoding: 'float' }),
      );
      line.duration = other.length / 11025;
    });
    const preprocessor = { ...PREPROCESSOR, dither: 0 };
    const cache = `\nfeature_cache: ${join(made.folder, 'cache')}`;
    for (const resampler of ['scipy', 'torchaudio', 'best'] as const) {
      const wanted = new MelFrontEnd(preprocessor).compute(resample(other, 11025, RATE, resampler));
      const source = await open(made, `batch_size: 1\nresampler: ${resampler}${cache}`, { preprocessor });
      const [{ inputs }] = await collect(source);
      expect(inputs.features.data.slice(0, wanted.features.length)).toEqual(wanted.features);
    }
  });

  it('sees no silent ends with trim_silence', async () => {
    const made = corpus(1);
    const loud = tone(0.5, 400);
    const padded = Float32Array.of(...new Float32Array(6000), ...loud, ...new Float32Array(9000));
    writeFileSync(join(made.folder, 'wavs/u0.wav'), wav(padded));
    writeFileSync(
      made.manifest,
      JSON.stringify({ audio_filepath: 'wavs/u0.wav', duration: 2.375, text: 'a' }),
    );
    const framesOf = async (yaml: string) => {
      const [batch] = await collect(await open(made, `batch_size: 1\n${yaml}`));
      return batch.inputs.featureLengths.data[0];
    };
    expect(await framesOf('')).toBe(237);
    // Half a second from sample 6000 on; frames of 2048 every 512 that touch it: 10 to 21.
    expect(await framesOf('trim_silence: true')).toBe(Math.floor((12 * 512) / 80));
    expect(await framesOf(`trim_silence: true\nfeature_cache: ${join(made.folder, 'c')}`)).toBe(76);
    expect(await framesOf(`feature_cache: ${join(made.folder, 'c')}`)).toBe(237);
  });
});

describe('speed perturbation', () => {
  it('is foreseen by the plan: no batch outgrows its planned shape', async () => {
    const yaml =
      'batch_size: 4\nnum_buckets: 3\naugmentor: {speed: {prob: 0.8, min_speed_rate: 0.5, max_speed_rate: 1.5}}';
    const source = await open(corpus(24), yaml);
    const planned = new Set<string>();
    for (const epoch of [0, 1, 2]) {
      for (const s of source.estimate(epoch).shapes) planned.add(`${s.size},${s.frames},${s.tokens}`);
      for (const { inputs } of await collect(source, epoch)) {
        const [size, frames] = inputs.features.shape;
        expect(planned).toContain(`${size},${frames},${inputs.targets.shape[1]}`);
      }
    }
  });
});

describe('the feature cache', () => {
  const yaml = (made: Corpus, more = '') =>
    `batch_size: 4\nfeature_cache: ${join(made.folder, 'cache')}\n${more}`;
  const files = (made: Corpus) =>
    readdirSync(join(made.folder, 'cache'), { recursive: true, withFileTypes: true })
      .filter((f) => f.isFile())
      .map((f) => join(f.parentPath, f.name));

  it('gives the features that would be computed, masked afresh each epoch', async () => {
    const made = corpus(8);
    const masks = { specAugment: { time_masks: 1, time_width: 6 } };
    const preprocessor = { ...PREPROCESSOR, dither: 0 };
    const direct = await open(made, 'batch_size: 4', { ...masks, preprocessor });
    const cached = await open(made, yaml(made), { ...masks, preprocessor });
    expect(await collect(cached, 0)).toEqual(await collect(direct, 0));
    expect(cached.gauges().cacheHits).toBe(0);
    expect(files(made)).toHaveLength(8);
    const second = await collect(cached, 1);
    expect(cached.gauges().cacheHits).toBe(8);
    second.forEach((batch) => {
      expect(Object.keys(batch.inputs)).toHaveLength(5);
    });
    expect(second.map((b) => b.inputs)).toEqual((await collect(direct, 1)).map((b) => b.inputs));
  });

  it('is renewed when the front end or a recording changes, or a file is not whole', async () => {
    const made = corpus(4);
    await collect(await open(made, yaml(made)));
    const again = async (more: Changes = {}) => {
      const source = await open(made, yaml(made), more);
      const batches = await collect(source);
      return { hits: source.gauges().cacheHits, batches };
    };
    expect((await again()).hits).toBe(4);
    expect((await again({ preprocessor: { ...PREPROCESSOR, window: 'hamming' } })).hits).toBe(0);
    writeFileSync(join(made.folder, 'wavs/u2.wav'), wav(tone(1, 777)));
    expect((await again()).hits).toBe(3);
    const touched = join(made.folder, 'wavs/u1.wav');
    utimesSync(touched, 1e9, 1e9);
    expect((await again()).hits).toBe(3);
    const whole = await again();
    expect(whole.hits).toBe(4);
    for (const file of files(made)) truncateSync(file, statSync(file).size - 4);
    const repaired = await again();
    expect(repaired.hits).toBe(0);
    expect(repaired.batches.map((b) => b.inputs)).toEqual(whole.batches.map((b) => b.inputs));
    expect((await again()).hits).toBe(4);
  });

  it('stops growing at its bound, and is left alone under waveform augmentation', async () => {
    const made = corpus(8);
    const small = await open(
      made,
      yaml(made, 'feature_cache_gb: 0.000001\nbatch_size: 1').replace('batch_size: 4\n', ''),
    );
    await collect(small);
    const size = await cacheSize(join(made.folder, 'cache'));
    expect(size).toBeGreaterThan(0);
    expect(files(made).length).toBeLessThan(8);
    const lines: string[] = [];
    const source = await open(made, yaml(made, 'augmentor: {gain: {prob: 1}}'), {
      log: (l) => lines.push(l),
    });
    await collect(source);
    expect(lines.join()).toContain('feature_cache is not used');
    expect(await cacheSize(join(made.folder, 'cache'))).toBe(size);
  });

  it('says so when it cannot be written', async () => {
    const made = corpus(4);
    const yaml = `batch_size: 4\nfeature_cache: ${made.manifest}`;
    await expect(collect(await open(made, yaml))).rejects.toMatchObject({ code: 'data.cache-write' });
  });
});
