// NeMo's decoding, loss and joint sections parse unchanged, and what has no effect is said once.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodingSchema, fusionModes, mostSymbols } from '../../../src/asr/decoding/config.js';
import { ctcDecodingSchema } from '../../../src/asr/decoding/ctc-config.js';
import { confidenceOptions } from '../../../src/asr/decoding/shared-config.js';
import { EncDecHybridRNNTCTCBPEModel, EncDecRNNTBPEModel } from '../../../src/asr/index.js';
import { type ConfigNode, type ConfigWarning, configFromText } from '../../../src/config/index.js';
import { tinyModel } from '../support.js';

const fromFile = (name: string) =>
  configFromText(readFileSync(new URL(`../../golden/config/${name}`, import.meta.url), 'utf8'));

describe('all keys of NeMo with their defaults', () => {
  const defaults = fromFile('decoding_defaults.yaml');

  it.each([
    ['rnnt', decodingSchema],
    ['ctc', ctcDecodingSchema],
  ] as const)('%s', (name, schema) => {
    const warnings: ConfigWarning[] = [];
    const config = schema.parse(defaults[name] as ConfigNode, { warnings });
    expect(warnings.map((warning) => warning.message)).toEqual([]);
    expect(config.strategy).toBe('greedy_batch');
    expect(confidenceOptions(config)).toBeUndefined();
  });

  it('read a float length of ALSD as tokens per frame, an integer as tokens', () => {
    const length = (text: string) =>
      decodingSchema.parse(configFromText(`beam: {alsd_max_target_len: ${text}}`) as ConfigNode).beam
        .alsd_max_target_len;
    expect(length('2.0')).toEqual({ perFrame: 2 });
    expect(length('50')).toEqual({ tokens: 50 });
    expect(() => length('-1')).toThrow(/tokens a frame/);
  });
});

it('takes max_symbols, else max_symbols_per_step, else 10', () => {
  const most = (greedy: object) => mostSymbols(decodingSchema.parse({ greedy }).greedy);
  expect(most({})).toBe(10);
  expect(most({ max_symbols: 3, max_symbols_per_step: 7 })).toBe(3);
  expect(most({ max_symbols_per_step: 7 })).toBe(7);
  expect(most({ max_symbols: null })).toBe(null);
  expect(most({ max_symbols_per_step: null })).toBe(null);
});

it('warns of what has no effect', () => {
  const warnings: ConfigWarning[] = [];
  decodingSchema.parse(
    { preserve_alignments: true, greedy: { boosting_tree: { bpe_alpha: 1 } }, beam: { language_model: {} } },
    { warnings },
  );
  expect(warnings.length).toBe(3);
  expect(() => decodingSchema.parse({ strategy: 'wfst' })).toThrow(/maes/);
});

it('reads the modes of fusion in both spellings; null is what NeMo makes of it', () => {
  const modes = (beam: object) => fusionModes(decodingSchema.parse({ beam }).beam);
  expect(modes({})).toEqual({ pruning: 'late', blank: 'lm_weighted_full' });
  expect(modes({ pruning_mode: 'EARLY', blank_lm_score_mode: 'NO_SCORE' })).toEqual({
    pruning: 'early',
    blank: 'no_score',
  });
  expect(modes({ pruning_mode: null, blank_lm_score_mode: null })).toEqual({
    pruning: 'early',
    blank: 'lm_weighted_full',
  });
  expect(() => modes({ pruning_mode: 'middle' })).toThrow(/early/);
});

it('a wish for the confidence of words includes tokens; greedy has a method of its own', () => {
  const words = confidenceOptions(
    decodingSchema.parse({ confidence_cfg: { preserve_word_confidence: true, aggregation: 'prod' } }),
  );
  expect([words?.tokens, words?.words, words?.aggregation]).toEqual([true, true, 'prod']);
  const own = confidenceOptions(
    decodingSchema.parse({
      greedy: { preserve_frame_confidence: true, confidence_method_cfg: { name: 'max_prob' } },
    }),
  );
  expect([own?.tokens, own?.method.name]).toEqual([false, 'max_prob']);
});

describe('stock sections', () => {
  const stock = configFromText(
    `
joint: &joint
  _target_: nemo.collections.asr.modules.RNNTJoint
  log_softmax: null
  preserve_memory: false
  fuse_loss_wer: true
  fused_batch_size: 16
  jointnet: {joint_hidden: 16, activation: relu, dropout: 0.2}
beam: &beam {beam_size: 2, return_best_hypothesis: false, score_norm: true, tsd_max_sym_exp: 50, alsd_max_target_len: 2.0}
decoder: &decoder
  _target_: nemo.collections.asr.modules.RNNTDecoder
  normalization_mode: null
  random_state_sampling: false
  blank_as_pad: true
  prednet: {pred_hidden: 16, pred_rnn_layers: 1, t_max: null, dropout: 0.2}
tdt:
  model_defaults: {enc_hidden: 16, pred_hidden: 16, joint_hidden: 16, tdt_durations: [0, 1, 2, 3, 4], num_tdt_durations: 5}
  decoder: *decoder
  joint: {<<: *joint, num_extra_outputs: 5}
  decoding:
    strategy: greedy
    model_type: tdt
    durations: [0, 1, 2, 3, 4]
    greedy: {max_symbols: 10}
    beam: *beam
  loss: {loss_name: tdt, tdt_kwargs: {fastemit_lambda: 0.001, clamp: -1.0, durations: [0, 1, 2, 3, 4], sigma: 0.05, omega: 0.1}}
stateless:
  decoder:
    _target_: nemo.collections.asr.modules.StatelessTransducerDecoder
    normalization_mode: layer
    context_size: 2
    prednet: {pred_hidden: 16, pred_rnn_layers: 1, t_max: null, dropout: 0.2}
multiblank:
  decoder: *decoder
  joint: {<<: *joint, num_extra_outputs: 3}
  decoding:
    strategy: greedy_batch
    model_type: multiblank
    big_blank_durations: [2, 4, 8]
    greedy: {max_symbols: 10}
    beam: *beam
  loss: {loss_name: multiblank_rnnt, multiblank_rnnt_kwargs: {fastemit_lambda: 0.0, clamp: -1.0, big_blank_durations: [2, 4, 8], sigma: 0.05}}
hat:
  decoder: *decoder
  joint: {<<: *joint, _target_: nemo.collections.asr.modules.HATJoint}
  decoding: {strategy: greedy_batch, greedy: {max_symbols: 10}, beam: *beam}
  loss: {loss_name: default, warprnnt_numba_kwargs: {fastemit_lambda: 0.0, clamp: -1.0}}
aux_ctc:
  ctc_loss_weight: 0.3
  use_cer: false
  ctc_reduction: mean_batch
  decoder: {_target_: nemo.collections.asr.modules.ConvASRDecoder, feat_in: null, num_classes: -1, vocabulary: []}
  decoding: {strategy: greedy}
`,
  ) as unknown as Record<string, Record<string, unknown>>;

  it.each([
    ['tdt', stock['tdt'], ['tdt', 5]],
    ['tdt, stateless', { ...stock['tdt'], ...stock['stateless'] }, ['tdt', 5]],
    ['multiblank', stock['multiblank'], ['multiblank', 3]],
    ['hat', stock['hat'], ['rnnt', 0]],
  ] as const)('%s', (_name, sections, expected) => {
    const lines: string[] = [];
    const model = EncDecRNNTBPEModel.fromConfig(tinyModel(sections), { log: (line) => lines.push(line) });
    expect([model.variant.kind, model.joint.extraOutputs]).toEqual(expected);
    expect(lines).toEqual([]);
  });

  it('hybrid TDT and CTC', () => {
    const lines: string[] = [];
    const sections = { ...stock['tdt'], aux_ctc: stock['aux_ctc'] };
    const model = EncDecHybridRNNTCTCBPEModel.fromConfig(tinyModel(sections), { log: (line) => lines.push(line) }); // biome-ignore format: one line reads better
    expect(model.variant.kind).toBe('tdt');
    expect(lines).toEqual([]);
  });
});
