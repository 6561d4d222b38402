// Joins recorded or synthesised words into one utterance, the way an announcement system does: silence
// trimmed, a random pause between words, edges faded, levels roughly equal.
import type { CounterRandom } from '../../src/random/index.js';
import { type Clip, resampleBy, rms, setLevel, trimSilence } from './synthesis/clip.js';

export interface SpliceOptions {
  /** Shortest and longest pause between words, in seconds. */
  readonly gap: readonly [number, number];
  /** Largest relative change of a word's speed (and pitch with it); 0 leaves words as they are. */
  readonly wordSpeedJitter: number;
  /** RMS level of the utterance in dB below full scale. */
  readonly levelDb: number;
}

const FADE_SECONDS = 0.008;
const EDGE_SECONDS: readonly [number, number] = [0.05, 0.3];

/**
 * One utterance from word clips of one sampling rate. The counters of `random` from 0 to
 * `2 * words.length + 1` are used.
 */
export function splice(words: readonly Clip[], random: CounterRandom, options: SpliceOptions): Clip {
  const { sampleRate } = words[0];
  const between = ([low, high]: readonly [number, number], index: number) =>
    Math.round((low + (high - low) * random.uniform(index)) * sampleRate);
  const pieces: Float32Array[] = [new Float32Array(between(EDGE_SECONDS, 0))];
  words.forEach((word, i) => {
    const jitter = 1 + options.wordSpeedJitter * (2 * random.uniform(2 + 2 * i) - 1);
    const samples = resampleBy(trimSilence(word).samples.slice(), jitter);
    const level = 0.1 / Math.max(rms(samples), 1e-6);
    for (let k = 0; k < samples.length; k++) samples[k] *= level;
    fadeEdges(samples, Math.round(FADE_SECONDS * sampleRate));
    if (i > 0) pieces.push(new Float32Array(between(options.gap, 3 + 2 * i)));
    pieces.push(samples);
  });
  pieces.push(new Float32Array(between(EDGE_SECONDS, 1)));
  return { samples: setLevel(concatenate(pieces), options.levelDb), sampleRate };
}

function fadeEdges(samples: Float32Array, length: number): void {
  const fade = Math.min(length, samples.length >> 1);
  for (let i = 0; i < fade; i++) {
    samples[i] *= i / fade;
    samples[samples.length - 1 - i] *= i / fade;
  }
}

function concatenate(pieces: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
