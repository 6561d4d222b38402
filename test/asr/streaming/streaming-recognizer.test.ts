// Text of a stream is the text of the whole recording, for every kind of model.
import { afterAll, describe, expect, it } from 'vitest';
import {
  EncDecCTCModel,
  EncDecHybridRNNTCTCModel,
  EncDecRNNTModel,
  type SpeechModel,
} from '../../../src/asr/index.js';
import { OnnxEngine } from '../../../src/engine/index.js';
import { tinyModel, toneSpeech } from '../support.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

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
const encoder = {
  _target_: 'ConformerEncoder',
  feat_in: 16,
  n_layers: 2,
  d_model: 16,
  n_heads: 2,
  conv_kernel_size: 5,
  subsampling: 'dw_striding',
  subsampling_factor: 4,
  subsampling_conv_channels: 8,
  causal_downsampling: true,
  conv_context_size: 'causal',
  conv_norm_type: 'layer_norm',
  att_context_style: 'chunked_limited',
  att_context_size: [8, 3],
};
const convDecoder = { _target_: 'ConvASRDecoder' };
const joint = {
  _target_: 'RNNTJoint',
  jointnet: { joint_hidden: 16, activation: 'relu', dropout: 0 },
};
const durations = [0, 1, 2, 5, 11];
const models: Readonly<Record<string, () => SpeechModel>> = {
  CTC: () =>
    EncDecCTCModel.fromConfig(tinyModel({ preprocessor, encoder, decoder: convDecoder, joint: undefined }), {
      seed: 3,
      engine,
    }),
  transducer: () => EncDecRNNTModel.fromConfig(tinyModel({ preprocessor, encoder }), { seed: 5, engine }),
  TDT: () =>
    EncDecRNNTModel.fromConfig(
      tinyModel({
        preprocessor,
        encoder,
        joint: { ...joint, num_extra_outputs: durations.length },
        decoding: { durations, greedy: { max_symbols: 3 } },
        loss: { loss_name: 'tdt', tdt_kwargs: { durations } },
      }),
      { seed: 8, engine },
    ),
  'hybrid, CTC branch': () => {
    const config = tinyModel({ preprocessor, encoder, aux_ctc: { decoder: convDecoder } });
    const model = EncDecHybridRNNTCTCModel.fromConfig(config, { seed: 4, engine });
    model.changeDecodingStrategy('ctc');
    return model;
  },
  'CTC with phrases': () => withPhrases(models['CTC']() as EncDecCTCModel),
  'TDT with phrases': () => withPhrases(models['TDT']() as EncDecRNNTModel),
};

function withPhrases(model: EncDecCTCModel | EncDecRNNTModel): SpeechModel {
  const boosting_tree = { key_phrases_list: ['cab', 'bc'] };
  model.changeDecoding({ greedy: { max_symbols: 3, boosting_tree, boosting_tree_alpha: 0.4 } });
  return model;
}

/** An untrained model that says something: blank gets less. */
async function talkative(model: SpeechModel): Promise<void> {
  for (const [name, state] of model.stateDict()) {
    if (/^encoder\.layers\..*norm_out.weight$/.test(name)) {
      await engine.write(
        state,
        Float32Array.from({ length: 16 }, (_, i) => 3 + Math.sin(i)),
      );
    }
    if (!/joint_net\.\d\.bias$|decoder_layers\.0\.bias$/.test(name)) continue;
    const bias = new Float32Array(state.shape[0]);
    bias[4] = name.startsWith('joint') ? 0.2 : -0.3;
    await engine.write(state, bias);
  }
}

describe.each(Object.entries(models))('%s', (_, make) => {
  it('hears in a stream what it hears in the whole', async () => {
    const model = make();
    await talkative(model);
    const recordings = ['abcab a', 'cab', 'bbca cab'].map((text, i) => toneSpeech(text, i));
    const whole = await model.transcribe(recordings, { batchSize: 1 });
    expect(new Set(whole.map(({ text }) => text)).size).toBe(3);
    const recognizer = model.stream();
    // One by one, in pieces of any size.
    for (const [i, samples] of recordings.entries()) {
      const stream = recognizer.open();
      let known = '';
      for (let at = 0, n = 1; at < samples.length; n++) {
        const size = [333, 4000, 17][n % 3];
        const { text } = await stream.push(samples.subarray(at, at + size));
        expect(text.startsWith(known)).toBe(true);
        known = text;
        at += size;
      }
      expect(known.length).toBeGreaterThan(0);
      const found = await stream.finish();
      expect(found.text).toBe(whole[i].text);
      expect(found.tokens).toEqual(whole[i].tokens);
      expect(found.score).toBeCloseTo(whole[i].score, 3);
    }
    // All together.
    const streams = recordings.map(() => recognizer.open());
    await recognizer.push(streams, recordings.map((samples) => samples.subarray(0, 5000))); // biome-ignore format: one line reads better
    const found = await recognizer.push(streams, recordings.map((samples) => samples.subarray(5000)), true); // biome-ignore format: one line reads better
    expect(found.map(({ text }) => text)).toEqual(whole.map(({ text }) => text));
  });
});

describe('streams', () => {
  it('end once, say how they are cut, and may be empty', async () => {
    const model = models['CTC']();
    const recognizer = model.stream();
    expect(recognizer.sizes).toMatchObject({ chunkSize: [13, 16], validOutLen: 4, lastChannelCacheSize: 8 });
    expect(recognizer.chunkSeconds).toBeCloseTo(0.16);
    const stream = recognizer.open();
    expect((await stream.finish()).text).toBe('');
    await expect(stream.push(new Float32Array(10))).rejects.toMatchObject({ code: 'streaming.finished' });
  });

  it('are refused for a model that needs the whole', () => {
    const whole = EncDecRNNTModel.fromConfig(tinyModel({ preprocessor }), { engine });
    expect(() => whole.stream()).toThrow(expect.objectContaining({ code: 'streaming.encoder' }));
    const normalised = EncDecRNNTModel.fromConfig(tinyModel({ encoder }), { engine });
    expect(() => normalised.stream()).toThrow(expect.objectContaining({ code: 'streaming.normalize' }));
  });
});
