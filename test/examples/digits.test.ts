// The quickstart's data: that voices differ and stay apart, that splicing says what it claims, that the same
// seed gives the same bytes whatever the number of threads.
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { throughChannel } from '../../examples/digits/acoustics.js';
import { DIGIT_WORDS, wordsOf } from '../../examples/digits/digits.js';
import { generateDigits } from '../../examples/digits/generate.js';
import type { PrepareOptions } from '../../examples/digits/options.js';
import { drawDigits } from '../../examples/digits/speak.js';
import { splice } from '../../examples/digits/splice.js';
import { type Clip, resampleBy, rms, setLevel, trimSilence } from '../../examples/digits/synthesis/clip.js';
import { createEspeak } from '../../examples/digits/synthesis/espeak.js';
import { createFlite } from '../../examples/digits/synthesis/flite.js';
import { createGnuspeech } from '../../examples/digits/synthesis/gnuspeech.js';
import type { VoiceSettings } from '../../examples/digits/synthesis/synthesizer.js';
import { sampleVoices } from '../../examples/digits/voices.js';
import type { ManifestLine } from '../../examples/lib/manifest.js';
import { audioInfo, decodeAudio } from '../../src/audio/index.js';
import { CounterRandom } from '../../src/random/index.js';

const RATE = 16000;

function tone(hertz: number, seconds: number, amplitude = 0.5): Clip {
  const samples = Float32Array.from(
    { length: Math.round(seconds * RATE) },
    (_, i) => amplitude * Math.sin((2 * Math.PI * hertz * i) / RATE),
  );
  return { samples, sampleRate: RATE };
}

/** Upward zero crossings a second. */
function crossings({ samples, sampleRate }: Clip): number {
  let count = 0;
  for (let i = 1; i < samples.length; i++) if (samples[i - 1] < 0 && samples[i] >= 0) count++;
  return (count * sampleRate) / samples.length;
}

describe('clips', () => {
  it('resampling by a factor moves length and keeps the wave', () => {
    const slower = resampleBy(tone(440, 1).samples, 1.25);
    expect(slower.length).toBe(20000);
    expect(crossings({ samples: slower, sampleRate: RATE })).toBeCloseTo(352, -1);
    expect(rms(slower)).toBeCloseTo(0.3535, 2);
  });

  it('resampling down removes what the new rate cannot hold', () => {
    expect(rms(resampleBy(tone(6000, 0.5).samples, 0.5))).toBeLessThan(0.005);
  });

  it('trimming leaves the speech and a little context', () => {
    const { samples } = tone(300, 0.2);
    const padded = new Float32Array(RATE);
    padded.set(samples, 6400);
    const trimmed = trimSilence({ samples: padded, sampleRate: RATE });
    expect(trimmed.samples.length / RATE).toBeCloseTo(0.26, 2);
    expect(rms(trimmed.samples)).toBeGreaterThan(0.25);
  });

  it('silence survives trimming', () => {
    expect(trimSilence({ samples: new Float32Array(800), sampleRate: RATE }).samples.length).toBe(800);
  });

  it('sets a level without clipping', () => {
    expect(20 * Math.log10(rms(setLevel(tone(200, 0.1).samples, -26)))).toBeCloseTo(-26, 3);
    expect(Math.max(...setLevel(tone(200, 0.1).samples, 10))).toBeLessThanOrEqual(0.9801);
  });
});

describe('splicing', () => {
  const words = [tone(300, 0.3), tone(500, 0.4), tone(700, 0.2)];
  const options = { gap: [0.1, 0.1], wordSpeedJitter: 0, levelDb: -20 } as const;

  it('has the words in order with the asked pauses', () => {
    const { samples } = splice(words, new CounterRandom(1), options);
    const speech = trimSilence({ samples, sampleRate: RATE }, 30, 0);
    expect(speech.samples.length / RATE).toBeCloseTo(0.3 + 0.1 + 0.4 + 0.1 + 0.2, 1);
    const middle = speech.samples.slice(Math.round(0.45 * RATE), Math.round(0.75 * RATE));
    expect(crossings({ samples: middle, sampleRate: RATE })).toBeCloseTo(500, -1);
  });

  it('is the same for the same stream and leaves its input alone', () => {
    const before = words[0].samples.slice();
    const a = splice(words, new CounterRandom(2), options);
    const b = splice(words, new CounterRandom(2), options);
    expect(a.samples).toEqual(b.samples);
    expect(words[0].samples).toEqual(before);
  });

  it('draws strings of one to seven digits, all of them sooner or later', () => {
    const strings = Array.from({ length: 300 }, (_, i) => drawDigits(new CounterRandom(3, i)));
    const lengths = new Set(strings.map((s) => s.length));
    expect([...lengths].sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(new Set(strings.flat()).size).toBe(10);
    expect(wordsOf([4, 0])).toBe('four zero');
  });
});

describe('voices', () => {
  const counts = { flite: 12, espeak: 80, gnuspeech: 4 };

  it('never share a base voice between training and validation', () => {
    const variant = (base: string) => base.split('+').at(-1);
    const bases = (split: 'train' | 'dev') =>
      new Set(sampleVoices(1, split, counts).map((v) => `${v.engine} ${variant(v.base)}`));
    const train = bases('train');
    expect([...bases('dev')].filter((base) => train.has(base))).toEqual([]);
  });

  it('have names of their own and depend on the seed only', () => {
    const voices = sampleVoices(1, 'train', counts);
    expect(new Set(voices.map((v) => v.speaker)).size).toBe(voices.length);
    expect(sampleVoices(1, 'train', counts)).toEqual(voices);
    expect(sampleVoices(2, 'train', counts)).not.toEqual(voices);
  });
});

describe('synthesizers', () => {
  const neutral = { formants: 1, pitch: 1, intonation: 1, rate: 1 };
  const seconds = ({ samples, sampleRate }: Clip) => samples.length / sampleRate;
  const voices: readonly VoiceSettings[] = [
    { engine: 'flite', base: 'slt', ...neutral },
    { engine: 'espeak', base: 'en-us+m3', ...neutral },
    { engine: 'gnuspeech', base: 'male', ...neutral },
  ];
  const create = { flite: createFlite, espeak: createEspeak, gnuspeech: createGnuspeech };

  it.each(voices)('$engine speaks, faster when asked, at any tract size', async (voice) => {
    const engine = await create[voice.engine]();
    const plain = trimSilence(await engine.synthesize('three nine five.', voice));
    expect(plain.sampleRate).toBe(RATE);
    expect(seconds(plain)).toBeGreaterThan(0.7);
    expect(seconds(plain)).toBeLessThan(2);
    expect(rms(plain.samples)).toBeGreaterThan(0.01);
    const fast = trimSilence(await engine.synthesize('three nine five.', { ...voice, rate: 1.4 }));
    expect(seconds(fast)).toBeLessThan(0.85 * seconds(plain));
    const small = trimSilence(await engine.synthesize('three nine five.', { ...voice, formants: 1.15 }));
    expect(Math.abs(seconds(small) / seconds(plain) - 1)).toBeLessThan(0.12);
    expect(small.samples).not.toEqual(plain.samples);
  });

  it('flite names its voices when asked for one it lacks', async () => {
    const flite = await createFlite();
    await expect(flite.synthesize('one', { ...voices[0], base: 'nobody' })).rejects.toThrow(/awb, rms, slt/);
  });
});

describe('channels', () => {
  it('a telephone line takes away what lies above its band', () => {
    const odds = { microphone: 0, line: 1, noise: 0 };
    const levels = Array.from({ length: 20 }, (_, i) => {
      const high = throughChannel(tone(7600, 0.3, 0.1), new CounterRandom(5, i), odds);
      return rms(high.samples.slice(1000, -1000));
    });
    expect(Math.max(...levels)).toBeLessThan(0.01);
    const speechBand = throughChannel(tone(1000, 0.3, 0.1), new CounterRandom(5), odds);
    expect(rms(speechBand.samples)).toBeCloseTo(0.0707, 2);
  });

  it('with all odds at zero nothing happens', () => {
    const clip = tone(500, 0.1);
    const out = throughChannel(clip, new CounterRandom(1), { microphone: 0, line: 0, noise: 0 });
    expect(out.samples).toEqual(clip.samples);
  });

  it('noise lies 5 to 45 dB below', () => {
    const clip = tone(500, 0.3);
    for (let i = 0; i < 5; i++) {
      const noisy = throughChannel(clip, new CounterRandom(6, i), { microphone: 0, line: 0, noise: 1 });
      const added = rms(noisy.samples.map((x, k) => x - clip.samples[k]));
      const snr = 20 * Math.log10(rms(clip.samples) / added);
      expect(snr).toBeGreaterThan(4.9);
      expect(snr).toBeLessThan(45.1);
    }
  });
});

describe('the data set', () => {
  let folder: string;
  const options = (out: string, workers: number): PrepareOptions => ({
    out: join(folder, out),
    seed: 4,
    trainVoices: { flite: 1, espeak: 3, gnuspeech: 1 },
    devVoices: { flite: 1, espeak: 1, gnuspeech: 0 },
    trainStrings: { fluent: 1, spliced: 2 },
    devStrings: { fluent: 1, spliced: 1 },
    testStrings: 3,
    workers,
  });
  const manifest = async (out: string, name: string) =>
    (await readFile(join(folder, out, `${name}.json`), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ManifestLine);
  const digest = async (out: string) => {
    const hash = createHash('sha256');
    const root = join(folder, out);
    for (const file of (await readdir(root, { recursive: true })).sort()) {
      if (/\.(wav|json)$/.test(file) && !file.endsWith('prepared.json')) {
        hash.update(file).update(await readFile(join(root, file)));
      }
    }
    return hash.digest('hex');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'anemone-digits-'));
    await generateDigits(options('a', 0));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('has the promised sets, with relative paths, true durations and known words', async () => {
    const sizes = { train: 15, dev: 4, test: 6 };
    for (const [name, size] of Object.entries(sizes)) {
      const lines = await manifest('a', name);
      expect(lines.length).toBe(size);
      for (const line of lines) {
        expect(line.audio_filepath.startsWith(`audio/${name}/`)).toBe(true);
        const info = await audioInfo(join(folder, 'a', line.audio_filepath));
        expect(info.sampleRate).toBe(RATE);
        expect(info.duration).toBeCloseTo(line.duration, 6);
        expect(line.text.split(' ').every((word) => (DIGIT_WORDS as readonly string[]).includes(word))).toBe(
          true,
        );
      }
    }
    const speakers = async (name: string) => new Set((await manifest('a', name)).map((l) => l.speaker));
    const train = await speakers('train');
    for (const other of [...(await speakers('dev')), ...(await speakers('test'))]) {
      expect(train.has(other)).toBe(false);
    }
  });

  it('is the same, byte for byte, from worker threads', async () => {
    await generateDigits(options('b', 2));
    expect(await digest('b')).toBe(await digest('a'));
  });

  it('is not made twice, and is made again when the choices change', async () => {
    expect((await generateDigits(options('a', 1))).reused).toBe(true);
    const before = await digest('a');
    const changed = await generateDigits({
      ...options('a', 0),
      seed: 5,
      trainVoices: { flite: 1, espeak: 0, gnuspeech: 0 },
    });
    expect(changed.reused).toBe(false);
    expect(await digest('a')).not.toBe(before);
  });
});

describe('human recordings', () => {
  it.each(['allison', 'dawson'])('%s says ten digits and is credited', async (voice) => {
    const folder = new URL(`../../examples/digits/voices/${voice}/`, import.meta.url);
    for (let digit = 0; digit < 10; digit++) {
      const clip = trimSilence(await decodeAudio(await readFile(new URL(`${digit}.flac`, folder))));
      const length = clip.samples.length / clip.sampleRate;
      expect(length).toBeGreaterThan(0.25);
      expect(length).toBeLessThan(1.2);
    }
    expect(await readFile(new URL('ATTRIBUTION.md', folder), 'utf8')).toMatch(/Copyright.*Licence/s);
  });
});
