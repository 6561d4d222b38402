// Cuts silence off both ends of a recording, as librosa's effects.trim does for NeMo's trim_silence.

const FRAME = 2048;
const HOP = 512;

/**
 * A view of the samples from the first to the last frame louder than `topDb` below the loudest.
 * @param topDb dB; default 60
 */
export function trimSilence(samples: Float32Array, topDb = 60): Float32Array {
  const frames = Math.floor(samples.length / HOP) + 1;
  const power = new Float64Array(frames);
  let loudest = 0;
  for (let t = 0; t < frames; t++) {
    // Frames are centred; beyond the ends is silence.
    const from = Math.max(0, t * HOP - FRAME / 2);
    const to = Math.min(samples.length, t * HOP + FRAME / 2);
    let sum = 0;
    for (let i = from; i < to; i++) sum += samples[i] * samples[i];
    power[t] = sum / FRAME;
    loudest = Math.max(loudest, power[t]);
  }
  // librosa floors powers at 1e-10, which keeps digital silence from being trimmed as "quieter".
  const floor = 1e-10;
  const threshold = Math.max(loudest, floor) * 10 ** (-topDb / 10);
  const loud = (p: number) => Math.max(p, floor) > threshold;
  const first = power.findIndex(loud);
  if (first < 0) return samples.subarray(0, 0);
  const last = power.findLastIndex(loud);
  return samples.subarray(first * HOP, Math.min(samples.length, (last + 1) * HOP));
}
