// Overlapping buffers hear what the whole hears, as long as the model's reach is no longer than their overlap; and
// memory stays what it is.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EncDecCTCModel, EncDecRNNTModel, type SpeechModel } from '../../../src/asr/index.js';
import { OnnxEngine } from '../../../src/engine/index.js';
import { encodeWav } from '../../../src/formats/index.js';
import { tinyModel, toneSpeech } from '../support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-buffered-'));
const engine = new OnnxEngine({ threads: 1 });
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const preprocessor = {
  _target_: 'AudioToMelSpectrogramPreprocessor',
  sample_rate: 8000,
  window_size: 0.025,
  features: 16,
  n_fft: 256,
  dither: 0,
  pad_to: 0,
  normalize: 'NA',
};
/** Sees 2 + 2 encoded frames and the subsampling's own reach, on each side. */
const encoder = {
  _target_: 'ConformerEncoder',
  feat_in: 16,
  n_layers: 1,
  d_model: 16,
  n_heads: 2,
  conv_kernel_size: 5,
  subsampling: 'striding',
  subsampling_factor: 4,
  subsampling_conv_channels: 8,
  att_context_size: [2, 2],
};
const models: Readonly<Record<string, () => SpeechModel>> = {
  CTC: () =>
    EncDecCTCModel.fromConfig(
      tinyModel({ preprocessor, encoder, decoder: { _target_: 'ConvASRDecoder' }, joint: undefined }),
      { seed: 3, engine },
    ),
  transducer: () => EncDecRNNTModel.fromConfig(tinyModel({ preprocessor, encoder }), { seed: 5, engine }),
};

async function talkative(model: SpeechModel): Promise<void> {
  for (const [name, state] of model.stateDict()) {
    if (/^encoder\.layers\..*norm_out.weight$/.test(name)) {
      await engine.write(
        state,
        Float32Array.from({ length: 16 }, (_, i) => 3 + Math.sin(i)),
      );
    }
  }
}

describe.each(Object.entries(models))('buffered %s', (_, make) => {
  it('hears what the whole hears', async () => {
    const model = make();
    await talkative(model);
    const recordings = ['abcab acb a', 'cab'].map((text, i) => toneSpeech(text, i));
    const path = join(folder, 'recording.wav');
    const silence = new Float32Array(8000);
    writeFileSync(path, encodeWav([Float32Array.of(...silence, ...recordings[0])], { sampleRate: 8000, encoding: 'float' })); // biome-ignore format: one line reads better
    const inputs = [...recordings, { audioPath: path, offset: 1 }];
    const whole = await model.transcribe(inputs, { batchSize: 1 });
    expect(new Set(whole.map(({ text }) => text)).size).toBe(2);
    expect(whole[0].text.length).toBeGreaterThan(5);
    // 25 encoded frames a second: chunks of 20, 21 and 3 frames, with 8 or 10 on each side.
    for (const [chunkSeconds, bufferSeconds, batchSize] of [
      [0.8, 1.44, 3],
      [0.84, 1.48, 1],
      [0.12, 0.92, 4],
    ]) {
      // biome-ignore format: one line reads better
      const buffered = await model.transcribe(inputs, { chunkSeconds, bufferSeconds, batchSize });
      expect(buffered.map(({ text }) => text)).toEqual(whole.map(({ text }) => text));
      expect(buffered.map(({ tokens }) => tokens)).toEqual(whole.map(({ tokens }) => tokens));
    }
  });
});

describe('buffers', () => {
  it('are taken from the recording as they are needed', async () => {
    const model = models['CTC']();
    const { BufferedRecognizer } = await import('../../../src/asr/streaming/buffered.js');
    const parts = model.streamingParts(engine);
    const recognizer = new BufferedRecognizer(engine, parts, { chunkSeconds: 1, batchSize: 2 });
    let given = 0;
    const ahead: number[] = [];
    function* blocks() {
      for (; given < 40; given++) yield toneSpeech('abc', given);
    }
    await recognizer.transcribe(blocks(), (seconds) => ahead.push(0.9 * given - seconds));
    expect(ahead.length).toBe(18);
    // A buffer is 1.4 s, a block 0.9 s.
    for (const seconds of ahead) expect(seconds).toBeLessThan(2.4);
  });

  it('must fit their chunk', async () => {
    const model = models['CTC']();
    const wrong = { chunkSeconds: 2, bufferSeconds: 1 };
    await expect(model.transcribe([new Float32Array(9000)], wrong)).rejects.toMatchObject({
      code: 'streaming.buffer',
      path: 'bufferSeconds',
    });
  });

  it('of what cannot be read leave an empty transcript and are told of', async () => {
    const model = models['CTC']();
    const told: string[] = [];
    const bad = join(folder, 'none.wav');
    const options = { chunkSeconds: 1, onBad: (i: number, message: string) => told.push(`${i} ${message}`) };
    const found = await model.transcribe([bad, toneSpeech('ab', 1), new Float32Array(0)], options);
    expect(found[0].text).toBe('');
    expect(told).toEqual([
      expect.stringMatching(/^0 [^:]*none\.wav: no such file/),
      '2 waveform 2: 0 samples are too few',
    ]);
    await expect(model.transcribe([bad], { chunkSeconds: 1 })).rejects.toMatchObject({
      code: 'asr.bad-audio',
    });
  });
});
