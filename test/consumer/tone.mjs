// Makes what the checks of the installed package train on: each letter a tone, six recordings, a manifest, a config.
import { mkdirSync, writeFileSync } from 'node:fs';
import { encodeWav } from 'anemone-ml/formats';

const RATE = 8000;
const LETTER = 2400; // samples
const PITCH = { a: 400, b: 1000, c: 2200 };

const tone = (letter, i) => 0.4 * Math.sin((2 * Math.PI * (PITCH[letter] ?? 0) * i) / RATE);
const speech = (text) =>
  Float32Array.from({ length: text.length * LETTER }, (_, i) => tone(text[Math.floor(i / LETTER)], i));

mkdirSync('tones', { recursive: true });
const rows = ['ab', 'ba', 'c a', 'bc', 'cab', 'b a'].map((text, i) => {
  const samples = speech(text);
  writeFileSync(`tones/${i}.wav`, encodeWav([samples], { sampleRate: RATE }));
  return JSON.stringify({ audio_filepath: `${i}.wav`, duration: samples.length / RATE, text });
});
writeFileSync('tones/all.json', `${rows.join('\n')}\n`);
writeFileSync(
  'tone.yaml',
  `name: tone
model:
  target: EncDecRNNTModel
  sample_rate: ${RATE}
  labels: [a, b, c, ' ']
  preprocessor: {_target_: AudioToMelSpectrogramPreprocessor, sample_rate: ${RATE}, features: 16, n_fft: 256,
    dither: 0, pad_to: 0}
  encoder: {_target_: ConformerEncoder, feat_in: 16, n_layers: 1, d_model: 16, n_heads: 2, conv_kernel_size: 5,
    subsampling_factor: 4, subsampling_conv_channels: 8, dropout: 0, dropout_pre_encoder: 0, dropout_emb: 0}
  decoder: {_target_: RNNTDecoder, prednet: {pred_hidden: 16, pred_rnn_layers: 1}}
  joint: {_target_: RNNTJoint, jointnet: {joint_hidden: 16, activation: relu, dropout: 0}}
  train_ds: {manifest_filepath: tones/all.json, sample_rate: ${RATE}, batch_size: 3, shuffle: true, num_workers: 0}
  validation_ds: {manifest_filepath: tones/all.json, sample_rate: ${RATE}, batch_size: 3, num_workers: 0}
  optim: {name: adamw, lr: 0.01}
trainer: {max_epochs: 2, log_every_n_steps: 1, engine: {name: onnxruntime, threads: 1}}
exp_manager: {explicit_log_dir: runs/tone, create_tensorboard_logger: false, checkpoint_callback_params: {monitor: val_wer}}
`,
);
