// A tiny model configuration and tone "speech" for the model tests: each letter is a tone of its own.
import { type ConfigNode, configFromObject } from '../../src/config/index.js';
import { CounterRandom } from '../../src/random/index.js';

export const letters = ['a', 'b', 'c', ' '] as const;

/** `undefined` in `changes` leaves a key out. */
export function tinyModel(changes: Readonly<Record<string, unknown>> = {}): ConfigNode {
  const all = {
    sample_rate: 8000,
    labels: letters,
    preprocessor: {
      _target_: 'nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor',
      sample_rate: 8000,
      window_size: 0.025,
      window_stride: 0.01,
      features: 16,
      n_fft: 256,
      dither: 0,
      pad_to: 0,
    },
    encoder: {
      _target_: 'nemo.collections.asr.modules.ConformerEncoder',
      feat_in: 16,
      n_layers: 1,
      d_model: 16,
      n_heads: 2,
      conv_kernel_size: 5,
      subsampling_factor: 4,
      subsampling_conv_channels: 8,
      dropout: 0,
      dropout_pre_encoder: 0,
      dropout_emb: 0,
    },
    decoder: {
      _target_: 'nemo.collections.asr.modules.RNNTDecoder',
      prednet: { pred_hidden: 16, pred_rnn_layers: 1 },
    },
    joint: {
      _target_: 'nemo.collections.asr.modules.RNNTJoint',
      jointnet: { joint_hidden: 16, activation: 'relu', dropout: 0 },
    },
    ...changes,
  };
  const model = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return configFromObject({ model }).model;
}

/** A tone of a third of a second for each letter, silence for a space. */
export function toneSpeech(text: string, seed: number): Float32Array {
  const [rate, length] = [8000, 2400];
  const random = new CounterRandom(seed);
  const samples = new Float32Array(text.length * length);
  const pitch: Readonly<Record<string, number>> = { a: 400, b: 1000, c: 2200 };
  for (let i = 0; i < samples.length; i++) {
    const letter = text[Math.floor(i / length)];
    const inside = i % length;
    const envelope = Math.min(1, inside / 400, (length - inside) / 400);
    const tone = pitch[letter] ? Math.sin((2 * Math.PI * pitch[letter] * i) / rate) : 0;
    samples[i] = 0.4 * envelope * tone + 0.01 * random.normal(i);
  }
  return samples;
}
