// Normalisation of one utterance's features over its valid frames, as NeMo's normalize_batch does.
import { AnemoneError } from '../../errors/index.js';
import type { ResolvedMel } from './mel-config.js';

/** Added to the standard deviation, after the root. */
const EPSILON = 1e-5;

/**
 * Normalises `features` [frames, bins] in place. Standard deviations are unbiased.
 * @throws AnemoneError `audio.too-short` for a single frame under `1.x`, where NeMo raises too
 */
export function normalizeFeatures(features: Float32Array, frames: number, config: ResolvedMel): void {
  const { normalize } = config;
  const bins = config.width;
  if (normalize === null || frames === 0) return;
  if (typeof normalize === 'object') {
    for (let t = 0, p = 0; t < frames; t++) {
      for (let f = 0; f < bins; f++, p++) {
        features[p] = (features[p] - normalize.fixed_mean[f]) / normalize.fixed_std[f];
      }
    }
    return;
  }
  if (normalize !== 'per_feature' && normalize !== 'all_features') return;
  if (frames === 1 && config.nemo_compat === '1.x' && normalize === 'per_feature') {
    throw new AnemoneError({
      code: 'audio.too-short',
      message: 'one frame has no standard deviation to normalise by',
      hint: 'raise min_duration',
    });
  }
  if (normalize === 'per_feature') perFeature(features, frames, bins);
  else allFeatures(features, frames * bins);
}

function perFeature(x: Float32Array, frames: number, bins: number): void {
  const mean = new Float64Array(bins);
  const scale = new Float64Array(bins);
  for (let t = 0, p = 0; t < frames; t++) for (let f = 0; f < bins; f++, p++) mean[f] += x[p];
  for (let f = 0; f < bins; f++) mean[f] /= frames;
  for (let t = 0, p = 0; t < frames; t++) {
    for (let f = 0; f < bins; f++, p++) {
      const d = x[p] - mean[f];
      scale[f] += d * d;
    }
  }
  for (let f = 0; f < bins; f++) scale[f] = 1 / (Math.sqrt(scale[f] / Math.max(1, frames - 1)) + EPSILON);
  for (let t = 0, p = 0; t < frames; t++)
    for (let f = 0; f < bins; f++, p++) x[p] = (x[p] - mean[f]) * scale[f];
}

function allFeatures(x: Float32Array, n: number): void {
  let mean = 0;
  for (let i = 0; i < n; i++) mean += x[i];
  mean /= n;
  let variance = 0;
  for (let i = 0; i < n; i++) variance += (x[i] - mean) ** 2;
  const scale = 1 / (Math.sqrt(variance / Math.max(1, n - 1)) + EPSILON);
  for (let i = 0; i < n; i++) x[i] = (x[i] - mean) * scale;
}
