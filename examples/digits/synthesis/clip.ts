// Mono audio in memory and the two things every part of the preparation does with it: changing its
// sampling rate and cutting the silence around it. Files are read and written elsewhere.

/** Mono samples, nominally within [-1, 1], at `sampleRate` Hz. */
export interface Clip {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

const HALF_WIDTH = 16;
const PHASES = 512;

// A voice resamples by one factor all the time, and a table costs as much as a second of speech.
const tables = new Map<string, readonly Float32Array[]>();
const MAX_TABLES = 16;

function kernelTable(cutoff: number, halfWidth: number): readonly Float32Array[] {
  const key = `${cutoff} ${halfWidth}`;
  const table = tables.get(key) ?? makeTable(cutoff, halfWidth);
  if (!tables.has(key) && tables.size >= MAX_TABLES) tables.delete(tables.keys().next().value as string);
  tables.set(key, table);
  return table;
}

/** Windowed-sinc kernels, one row a fractional position; `cutoff` is relative to the input's Nyquist. */
function makeTable(cutoff: number, halfWidth: number): Float32Array[] {
  return Array.from({ length: PHASES + 1 }, (_, phase) => {
    const kernel = new Float32Array(2 * halfWidth);
    for (let k = 0; k < kernel.length; k++) {
      const x = k - halfWidth + 1 - phase / PHASES;
      const window = Math.abs(x) >= halfWidth ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * x) / halfWidth);
      const argument = Math.PI * cutoff * x;
      kernel[k] = window * cutoff * (argument === 0 ? 1 : Math.sin(argument) / argument);
    }
    return kernel;
  });
}

/**
 * Resamples by an arbitrary positive factor (output rate / input rate) with a Hann-windowed sinc.
 * Below 1 the cutoff moves down with the factor, so nothing aliases.
 */
export function resampleBy(samples: Float32Array, factor: number): Float32Array {
  if (factor === 1) return samples;
  const cutoff = Math.min(1, factor) * 0.95;
  const halfWidth = Math.ceil(HALF_WIDTH / Math.min(1, factor));
  const table = kernelTable(cutoff, halfWidth);
  const out = new Float32Array(Math.max(1, Math.round(samples.length * factor)));
  for (let i = 0; i < out.length; i++) {
    const position = i / factor;
    const base = Math.floor(position);
    const kernel = table[Math.round((position - base) * PHASES)];
    const first = base - halfWidth + 1;
    const from = Math.max(0, -first);
    const to = Math.min(kernel.length, samples.length - first);
    let sum = 0;
    for (let k = from; k < to; k++) sum += kernel[k] * samples[first + k];
    out[i] = sum;
  }
  return out;
}

/** The clip at another sampling rate. */
export function resampleTo(clip: Clip, sampleRate: number): Clip {
  return { samples: resampleBy(clip.samples, sampleRate / clip.sampleRate), sampleRate };
}

/**
 * Cuts what lies before and after the speech: 10 ms frames more than `floorDb` below the loudest frame.
 * `keepSeconds` of context stay on both sides, so that weak onsets (the f of "four") survive.
 */
export function trimSilence(clip: Clip, floorDb = 36, keepSeconds = 0.03): Clip {
  const { samples, sampleRate } = clip;
  const frame = Math.round(sampleRate / 100);
  const energies: number[] = [];
  for (let start = 0; start + frame <= samples.length; start += frame) {
    let energy = 0;
    for (let i = start; i < start + frame; i++) energy += samples[i] * samples[i];
    energies.push(energy);
  }
  const threshold = Math.max(...energies, 0) * 10 ** (-floorDb / 10);
  const first = energies.findIndex((e) => e > threshold);
  if (first < 0) return clip;
  const last = energies.findLastIndex((e) => e > threshold);
  const keep = Math.round(keepSeconds * sampleRate);
  const from = Math.max(0, first * frame - keep);
  const to = Math.min(samples.length, (last + 1) * frame + keep);
  return { samples: samples.slice(from, to), sampleRate };
}

/** Root mean square over the whole clip; 0 for an empty one. */
export function rms(samples: Float32Array): number {
  let sum = 0;
  for (const x of samples) sum += x * x;
  return samples.length === 0 ? 0 : Math.sqrt(sum / samples.length);
}

/** Scales in place to the given level in dB below full scale (RMS), never beyond a peak of 0.98. */
export function setLevel(samples: Float32Array, levelDb: number): Float32Array {
  let peak = 0;
  for (const x of samples) peak = Math.max(peak, Math.abs(x));
  const wanted = 10 ** (levelDb / 20) / Math.max(rms(samples), 1e-9);
  const gain = Math.min(wanted, 0.98 / Math.max(peak, 1e-9));
  for (let i = 0; i < samples.length; i++) samples[i] *= gain;
  return samples;
}
