// Whole models of each transducer variant, from NeMo's keys: they learn, and their batched greedy decoding finds
// what the textbook loop finds one utterance, one frame, one symbol at a time.
import { describe, expect, it } from 'vitest';
import { EncDecRNNTBPEModel, outputLayout } from '../../src/asr/index.js';
import {
  createReferenceEngine,
  type Engine,
  float32,
  type HostTensors,
  int32,
  OnnxEngine,
  tf,
} from '../../src/engine/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { tinyModel, toneSpeech } from './support.js';
import { batchOf, trainer } from './training.js';

const durations = [0, 1, 2, 3, 4];
const jointnet = { joint_hidden: 16, activation: 'relu', dropout: 0 };
const tdt = {
  joint: { _target_: 'nemo.collections.asr.modules.RNNTJoint', jointnet, num_extra_outputs: 5 },
  loss: {
    loss_name: 'tdt',
    tdt_kwargs: { fastemit_lambda: 0.001, clamp: -1, durations, sigma: 0.05, omega: 0.1 },
  },
  decoding: { strategy: 'greedy', model_type: 'tdt', durations, greedy: { max_symbols: 3, window: 4 } },
};
const stateless = {
  decoder: {
    _target_: 'nemo.collections.asr.modules.StatelessTransducerDecoder',
    context_size: 2,
    normalization_mode: 'layer',
    prednet: { pred_hidden: 16, pred_rnn_layers: 1, t_max: null, dropout: 0 },
  },
};
const multiblank = {
  joint: { _target_: 'nemo.collections.asr.modules.RNNTJoint', jointnet, num_extra_outputs: 3 },
  loss: {
    loss_name: 'multiblank_rnnt',
    multiblank_rnnt_kwargs: { fastemit_lambda: 0, clamp: -1, big_blank_durations: [2, 4, 8], sigma: 0.05 },
  },
  decoding: {
    strategy: 'greedy_batch',
    model_type: 'multiblank',
    big_blank_durations: [2, 4, 8],
    greedy: { max_symbols: 3, window: 4 },
  },
};
const hat = {
  joint: { _target_: 'nemo.collections.asr.modules.HATJoint', jointnet, log_softmax: null },
  decoding: { greedy: { max_symbols: 3, window: 4 } },
};

const variants = [
  ['TDT', tdt],
  ['TDT, stateless', { ...tdt, ...stateless }],
  ['multi-blank', multiblank],
  ['HAT', hat],
] as const;

describe.each(variants)('%s', (_name, changes) => {
  it('uses every key without a warning', () => {
    const lines: string[] = [];
    EncDecRNNTBPEModel.fromConfig(tinyModel(changes), { log: (line) => lines.push(line) });
    expect(lines).toEqual([]);
  });

  it('decodes in batches what the textbook loop finds', async () => {
    const engine = createReferenceEngine();
    const model = EncDecRNNTBPEModel.fromConfig(tinyModel(changes), { seed: 5, engine });
    await unbias(engine, model);
    const batch = batchOf(model, ['abc', 'ca', 'bb a', 'c']);
    const { hypotheses } = await model.recognizer(engine).recognize(batch.inputs, false);
    const reference = await plainGreedy(engine, model, batch.inputs, 3);
    expect(hypotheses.map(({ tokens, frames }) => ({ tokens, frames }))).toEqual(
      reference.map(({ tokens, frames }) => ({ tokens, frames })),
    );
    for (const [i, { score }] of hypotheses.entries()) expect(score).toBeCloseTo(reference[i].score, 3);
    if (model.variant.kind === 'tdt') {
      expect(hypotheses.map((h) => h.durations)).toEqual(reference.map((h) => h.durations));
    }
    expect(reference.some(({ tokens }) => tokens.length > 4)).toBe(true);
  });
});

it.each([
  ['TDT, stateless', { ...tdt, ...stateless }],
  ['multi-blank', multiblank],
  ['HAT', hat],
] as const)(
  '%s learns tones and transcribes',
  async (_name, changes) => {
    const engine = new OnnxEngine();
    const model = EncDecRNNTBPEModel.fromConfig(tinyModel(changes), { seed: 3, engine });
    const batch = batchOf(model, ['abc', 'ca', 'bb', 'cab']);
    const train = trainer(engine, model, 0.02);
    let loss = 0;
    for (let step = 0; step < 120; step++) {
      const out = await train.run(batch.inputs, { random: new CounterRandom(step) });
      loss = out['loss'].data[0];
      if (step === 0) expect(loss).toBeGreaterThan(5);
    }
    const evaluator = model.evaluator(engine);
    await evaluator.add(batch);
    expect(evaluator.summary().metrics['wer']).toBe(0);
    const transcripts = await model.transcribe([toneSpeech('bb', 2), toneSpeech('abc', 0)]);
    expect(transcripts.map((transcript) => transcript.text)).toEqual(['bb', 'abc']);
    await engine.dispose();
  },
  120_000,
);

describe('sections that contradict', () => {
  const build = (changes: object): unknown =>
    EncDecRNNTBPEModel.fromConfig(tinyModel({ ...tdt, ...changes }));

  it('durations of loss and decoding', () => {
    expect(() => build({ decoding: { durations: [0, 1] } })).toThrow(
      /model\.decoding.*\[0, 1\].*model\.loss/s,
    );
  });

  it('the number of outputs', () => {
    const joint = { _target_: 'nemo.collections.asr.modules.RNNTJoint', jointnet };
    expect(() => build({ joint })).toThrow(/num_extra_outputs.*needs 5/s);
  });

  it('a loss without its options, and durations that the loss cannot have', () => {
    expect(() => build({ loss: { loss_name: 'tdt' } })).toThrow(/tdt_kwargs/);
    expect(() => build({ loss: { loss_name: 'tdt', tdt_kwargs: { durations: [2, 1] } } })).toThrow(
      /ascending/,
    );
  });
});

/** Makes an untrained model say something: lower scores of the blanks. */
async function unbias(engine: Engine, model: EncDecRNNTBPEModel): Promise<void> {
  const { blank } = outputLayout(model.variant, 4);
  for (const state of model.stateDict().values()) {
    if (state.name === 'joint.joint_net.1.bias') {
      const bias = Float32Array.from({ length: state.shape[0] }, (_, k) => (k < 4 ? 0.3 - 0.05 * k : 0.1));
      if (blank < bias.length) bias[blank] = 0.2;
      await engine.write(state, bias);
    }
    if (state.name === 'joint.blank_pred.2.bias') await engine.write(state, Float32Array.of(-2.2));
  }
}

interface Found {
  tokens: number[];
  frames: number[];
  durations: number[];
  score: number;
}

/** The textbook loop. */
async function plainGreedy(
  engine: Engine,
  model: EncDecRNNTBPEModel,
  inputs: HostTensors,
  maxSymbols: number,
): Promise<Found[]> {
  const encoded = await engine
    .compile('encode', (tensors) => {
      const { projected, lengths } = model.forward(tensors, evaluationPass);
      return { projected, lengths: tf.clone(lengths) };
    })
    .run(inputs);
  const [, total, width] = encoded['projected'].shape;
  const logits = engine.compile('logits', ({ frame, tokens }) => {
    const prediction = model.decoder.forward(tokens, evaluationPass);
    const last = tf.slice(prediction, [0, prediction.shape[1]! - 1, 0], [1, 1, -1]);
    return { logits: model.joint.logits(frame, model.joint.projectPrediction(last)) };
  });
  const { variant } = model;
  const results: Found[] = [];
  for (let b = 0; b < encoded['lengths'].data.length; b++) {
    const found: Found = { tokens: [], frames: [], durations: [], score: 0 };
    let t = 0;
    let here = 0;
    while (t < encoded['lengths'].data[b]) {
      const at = (b * total + t) * width;
      const frame = float32(encoded['projected'].data.slice(at, at + width) as Float32Array, [1, 1, width]);
      const { tokens } = found;
      const out = await logits.run({ frame, tokens: int32(tokens, [1, tokens.length]) });
      const all = [...out['logits'].data];
      const token = best(variant.kind === 'tdt' ? all.slice(0, 5) : all);
      found.score += token.logProbability;
      let skip = 0;
      if (variant.kind === 'tdt') {
        const duration = best(all.slice(5));
        found.score += duration.logProbability;
        skip = variant.durations[duration.index];
        if (token.index === 4) skip = Math.max(skip, 1);
      } else if (token.index >= 4) {
        const distance = all.length - 1 - token.index;
        skip = distance === 0 ? 1 : variant.kind === 'multiblank' ? variant.durations[distance - 1] : 1;
      }
      if (token.index < 4) {
        tokens.push(token.index);
        found.frames.push(t);
        found.durations.push(skip);
        here++;
        if (skip === 0 && here === maxSymbols) skip = 1;
      }
      if (skip > 0) here = 0;
      t += skip;
    }
    results.push(found);
  }
  return results;
}

function best(logits: readonly number[]): { index: number; logProbability: number } {
  const most = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x - most), 0));
  return { index: logits.indexOf(most), logProbability: -total };
}
