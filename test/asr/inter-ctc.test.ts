import { describe, expect, it } from 'vitest';
import { EncDecCTCModel, EncDecHybridRNNTCTCModel } from '../../src/asr/index.js';
import { createReferenceEngine } from '../../src/engine/index.js';
import { evaluationPass, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { tinyModel } from './support.js';
import { batchOf } from './training.js';

const decoder = { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 };
const encoder = {
  _target_: 'ConformerEncoder',
  feat_in: 16,
  n_layers: 3,
  d_model: 8,
  n_heads: 2,
  conv_kernel_size: 3,
  subsampling_conv_channels: 4,
  feat_out: 6,
  dropout: 0,
  dropout_pre_encoder: 0,
  dropout_emb: 0,
};

function ctc(changes: object): EncDecCTCModel {
  return EncDecCTCModel.fromConfig(tinyModel({ encoder, decoder, joint: undefined, ...changes }), {
    seed: 3,
  });
}

async function losses(
  model: EncDecCTCModel | EncDecHybridRNNTCTCModel,
  pass = trainingPass,
): Promise<Record<string, number>> {
  const engine = createReferenceEngine();
  const program = engine.compile('loss', (inputs) => {
    const { loss, logs } = model.trainingStep(inputs, pass);
    return { loss, ...logs };
  });
  const out = await program.run(batchOf(model, ['abc', 'ca']).inputs, { random: new CounterRandom(1) });
  await engine.dispose();
  return Object.fromEntries(Object.entries(out).map(([name, { data }]) => [name, data[0]]));
}

describe('InterCTC', () => {
  it('adds the losses at inner layers by their weights', async () => {
    const plain = await losses(ctc({}));
    const { loss, ...parts } = await losses(
      ctc({ interctc: { loss_weights: [0.3, 0.2], apply_at_layers: [0, 1] } }),
    );
    expect(Object.keys(parts).sort()).toEqual(['final_loss', 'inter_ctc_loss_l0', 'inter_ctc_loss_l1']);
    expect(parts['final_loss']).toBeCloseTo(plain['loss'], 4);
    expect(parts['inter_ctc_loss_l0']).not.toBeCloseTo(parts['inter_ctc_loss_l1'], 3);
    expect(loss).toBeCloseTo(
      0.5 * parts['final_loss'] + 0.3 * parts['inter_ctc_loss_l0'] + 0.2 * parts['inter_ctc_loss_l1'],
      3,
    );
  });

  it('at the last layer is the loss itself, through the same projection', async () => {
    const parts = await losses(ctc({ interctc: { loss_weights: [0.4], apply_at_layers: [2] } }));
    expect(parts['inter_ctc_loss_l2']).toBeCloseTo(parts['final_loss'], 4);
    expect(parts['loss']).toBeCloseTo(parts['final_loss'], 4);
  });

  it('takes part of the loss of a hybrid model', async () => {
    const aux = { ctc_loss_weight: 0.25, decoder };
    const interctc = { loss_weights: [0.1], apply_at_layers: [1] };
    const model = EncDecHybridRNNTCTCModel.fromConfig(tinyModel({ encoder, aux_ctc: aux, interctc }), {
      seed: 3,
    });
    const parts = await losses(model);
    const main = 0.75 * parts['rnnt_loss'] + 0.25 * parts['ctc_loss'];
    expect(parts['loss']).toBeCloseTo(0.9 * main + 0.1 * parts['inter_ctc_loss_l1'], 3);
  });

  it('goes with stochastic depth', async () => {
    const deep = { ...encoder, stochastic_depth_drop_prob: 0.9, stochastic_depth_mode: 'uniform' };
    const interctc = { loss_weights: [0.3], apply_at_layers: [1] };
    expect(Number.isFinite((await losses(ctc({ encoder: deep, interctc })))['loss'])).toBe(true);
  });

  it.each([true, false])('is judged at every layer in evaluation, with losses: %s', async (withLoss) => {
    const interctc = { loss_weights: [0.3, 0.2, 0.1], apply_at_layers: [2, 0, 1] };
    const narrow = { ...encoder, feat_out: -1 };
    const model = ctc({ interctc, encoder: narrow, compute_eval_loss: withLoss });
    const engine = createReferenceEngine();
    const evaluator = model.evaluator(engine);
    const batches = [batchOf(model, ['abc', 'ca']), batchOf(model, ['b'])];
    for (const batch of batches) await evaluator.add(batch);
    const { metrics } = evaluator.summary();
    const rates = ['inter_wer_l2', 'inter_wer_l0', 'inter_wer_l1'];
    const costs = ['inter_ctc_loss_l2', 'inter_ctc_loss_l0', 'inter_ctc_loss_l1'];
    const names = ['wer', 'cer', ...rates, ...(withLoss ? ['loss', 'final_loss', ...costs] : [])];
    expect(Object.keys(metrics).sort()).toEqual(names.sort());
    // The last layer is the model itself; the others are models cut short.
    for (const layer of [0, 1, 2]) {
      const cut = ctc({ encoder: { ...narrow, n_layers: layer + 1 } });
      const values = new Map(cut.stateDict());
      for (const [name, state] of values) {
        const own = model.stateDict().get(name);
        if (own) await engine.write(state, await engine.read(own));
      }
      const alone = cut.evaluator(engine);
      for (const batch of batches) await alone.add(batch);
      const wanted = alone.summary().metrics;
      expect(Object.keys(wanted).sort()).toEqual(['cer', 'loss', 'wer']);
      expect(metrics[`inter_wer_l${layer}`]).toBeCloseTo(wanted['wer'], 6);
      if (withLoss) expect(metrics[`inter_ctc_loss_l${layer}`]).toBeCloseTo(wanted['loss'], 4);
    }
    if (withLoss) {
      const weighted = costs.map((name, i) => interctc.loss_weights[i] * metrics[name]);
      const total = weighted.reduce((sum, cost) => sum + cost, 0.4 * metrics['final_loss']);
      expect(metrics['loss']).toBeCloseTo(total, 4);
    }
    await engine.dispose();
  });

  it.each(['rnnt', 'ctc'] as const)('is judged in a hybrid model that decodes with %s', async (branch) => {
    const parts = {
      aux_ctc: { ctc_loss_weight: 0.25, decoder },
      interctc: { loss_weights: [0.1], apply_at_layers: [1] },
    };
    const model = EncDecHybridRNNTCTCModel.fromConfig(tinyModel({ encoder, ...parts }), { seed: 3 });
    model.changeDecodingStrategy(branch);
    const engine = createReferenceEngine();
    const evaluator = model.evaluator(engine);
    await evaluator.add(batchOf(model, ['abc', 'ca']));
    const { metrics } = evaluator.summary();
    // The branch that does not decode is judged beside, if it is the CTC branch.
    const beside = branch === 'rnnt' ? ['ctc_loss', 'rnnt_loss', 'wer_ctc'] : [];
    const names = ['cer', 'final_loss', 'inter_ctc_loss_l1', 'inter_wer_l1', 'loss', 'wer', ...beside];
    expect(Object.keys(metrics).sort()).toEqual(names.sort());
    expect(metrics['loss']).toBeCloseTo(0.9 * metrics['final_loss'] + 0.1 * metrics['inter_ctc_loss_l1'], 4);
    if (branch === 'rnnt') {
      model.changeDecodingStrategy('ctc');
      const other = model.evaluator(engine);
      await other.add(batchOf(model, ['abc', 'ca']));
      const { wer, final_loss: loss } = other.summary().metrics;
      expect(metrics['wer_ctc']).toBeCloseTo(wer, 6);
      expect(metrics['ctc_loss']).toBeCloseTo(loss, 4);
      expect(metrics['final_loss']).toBeCloseTo(0.75 * metrics['rnnt_loss'] + 0.25 * metrics['ctc_loss'], 4);
    }
    await engine.dispose();
    expect(metrics['inter_ctc_loss_l1']).toBeCloseTo(
      (await losses(model, evaluationPass))['inter_ctc_loss_l1'],
      4,
    );
  });

  it('says what does not fit', () => {
    expect(() => ctc({ interctc: { loss_weights: [0.3], apply_at_layers: [3] } })).toThrow(
      /no layer 3.*0 to 2/,
    );
    expect(() => ctc({ interctc: { loss_weights: [0.3], apply_at_layers: [] } })).toThrow(/0 layers for 1/);
    expect(() => ctc({ interctc: { loss_weights: [0.6, 0.4], apply_at_layers: [0, 1] } })).toThrow(
      /sum to 1/,
    );
    expect(() => ctc({ interctc: { loss_weights: [], apply_at_layers: [] } })).not.toThrow();
  });
});
