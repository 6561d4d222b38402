import { describe, expect, it } from 'vitest';
import {
  createModel,
  EncDecCTCModel,
  EncDecHybridRNNTCTCModel,
  EncDecRNNTBPEModel,
  greedyCtc,
} from '../../src/asr/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { tinyModel } from './support.js';
import { batchOf, trainer } from './training.js';

const frameDecoder = {
  _target_: 'nemo.collections.asr.modules.ConvASRDecoder',
  feat_in: null,
  num_classes: -1,
};

describe('greedy CTC', () => {
  it('merges repeats unless a blank parts them', () => {
    const [hypothesis] = greedyCtc({
      best: [4, 1, 1, 4, 1, 2, 2, 4],
      scores: [-1, -1, -1, -1, -1, -1, -1, -9],
      frames: 8,
      lengths: [7],
      blank: 4,
    });
    expect(hypothesis).toEqual({ tokens: [1, 1, 2], frames: [1, 4, 5], score: -5 });
  });
});

describe('EncDecCTCModel', () => {
  it('learns tones', async () => {
    const engine = new OnnxEngine();
    const model = EncDecCTCModel.fromConfig(
      tinyModel({ target: 'EncDecCTCModel', decoder: frameDecoder, joint: undefined }),
      { seed: 1, engine },
    );
    expect([...model.stateDict().keys()]).toContain('decoder.decoder_layers.0.weight');
    const batch = batchOf(model, ['abc', 'ca', 'bb', 'cab']);
    const train = trainer(engine, model, 0.02);
    for (let step = 0; step < 60; step++) {
      await train.run(batch.inputs, { random: new CounterRandom(step) });
    }
    const evaluator = model.evaluator(engine);
    await evaluator.add(batch);
    expect(evaluator.summary().metrics['wer']).toBe(0);
  });
});

describe('EncDecHybridRNNTCTCModel', () => {
  it('learns with both losses and decodes with either branch', async () => {
    const engine = new OnnxEngine();
    const model = EncDecHybridRNNTCTCModel.fromConfig(
      tinyModel({ aux_ctc: { ctc_loss_weight: 0.3, decoder: frameDecoder } }),
      { seed: 1, engine },
    );
    expect([...model.stateDict().keys()]).toContain('ctc_decoder.decoder_layers.0.bias');
    const batch = batchOf(model, ['abc', 'ca', 'bb', 'cab']);
    const train = trainer(engine, model, 0.02);
    for (let step = 0; step < 120; step++) {
      await train.run(batch.inputs, { random: new CounterRandom(step) });
    }
    for (const branch of ['rnnt', 'ctc'] as const) {
      model.changeDecodingStrategy(branch);
      const evaluator = model.evaluator(engine);
      await evaluator.add(batch);
      expect([branch, evaluator.summary().metrics['wer']]).toEqual([branch, 0]);
    }
    const wrong = () => model.changeDecodingStrategy('nope' as string as 'ctc');
    expect(wrong).toThrow(/"nope" is no branch/);
  });
});

describe('createModel', () => {
  it("follows target, by our names and by NeMo's", () => {
    expect(createModel(tinyModel())).toBeInstanceOf(EncDecRNNTBPEModel);
    const target = 'nemo.collections.asr.models.rnnt_models.EncDecRNNTModel';
    expect(createModel(tinyModel({ target }))).toBeInstanceOf(EncDecRNNTBPEModel);
    expect(() => createModel(tinyModel({ target: 'EncDecRNNTModle' }))).toThrow(/EncDecRNNTModel/);
  });

  it('tells of keys without effect and refuses unknown ones', () => {
    const lines: string[] = [];
    createModel(tinyModel({ log_prediction: true }), { log: (line) => lines.push(line) });
    expect(lines.join()).toMatch(/log_prediction/);
    expect(() => createModel(tinyModel({ encodr: {} }))).toThrow(/encoder/);
  });
});
