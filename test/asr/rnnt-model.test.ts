import { describe, expect, it } from 'vitest';
import { EncDecRNNTBPEModel } from '../../src/asr/index.js';
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
import { letters, tinyModel, toneSpeech } from './support.js';
import { batchOf, trainer } from './training.js';

describe('EncDecRNNTBPEModel', () => {
  it('has the parameter names of NeMo', () => {
    const names = [...EncDecRNNTBPEModel.fromConfig(tinyModel()).stateDict().keys()];
    for (const name of [
      'preprocessor.featurizer.window',
      'preprocessor.featurizer.fb',
      'encoder.pre_encode.conv.2.weight',
      'encoder.layers.0.self_attn.pos_bias_u',
      'encoder.layers.0.conv.batch_norm.num_batches_tracked',
      'decoder.prediction.embed.weight',
      'decoder.prediction.dec_rnn.lstm.weight_ih_l0',
      'joint.pred.weight',
      'joint.enc.bias',
      'joint.joint_net.1.weight',
    ]) {
      expect(names).toContain(name);
    }
  });

  it('learns tones, evaluates itself and transcribes', async () => {
    const engine = new OnnxEngine();
    const model = EncDecRNNTBPEModel.fromConfig(tinyModel(), { seed: 3, engine });
    const batch = batchOf(model, ['abc', 'ca', 'bb', 'cab']);
    const train = trainer(engine, model, 0.02);
    let loss = 0;
    for (let step = 0; step < 100; step++) {
      const out = await train.run(batch.inputs, { random: new CounterRandom(step) });
      loss = out['loss'].data[0];
      if (step === 0) expect(loss).toBeGreaterThan(5);
    }
    expect(loss).toBeLessThan(1);
    const evaluator = model.evaluator(engine);
    await evaluator.add(batch);
    const { metrics, samples } = evaluator.summary();
    expect(metrics['wer']).toBe(0);
    expect(metrics['loss']).toBeLessThan(3);
    expect(samples[0]).toEqual({ name: 'item 0', reference: 'abc', hypothesis: 'abc' });
    const [picture, lattice] = await model.reportContributions(engine);
    expect([picture.rows, lattice.rows, lattice.rowNames]).toEqual([16, 4, ['(start)', 'a', 'b', 'c']]);
    // The three tones follow each other, so the best path emits them in the thirds of the utterance.
    const { tokenFrames, posteriors, frames } = await model.align(engine, batchOf(model, ['abc']).inputs);
    expect(tokenFrames.length).toBe(3);
    expect([...tokenFrames].sort((a, b) => a - b)).toEqual(tokenFrames);
    expect(posteriors[0]).toBeCloseTo(1, 3);
    expect(posteriors[4 * frames - 1]).toBeCloseTo(1, 3);
    const transcripts = await model.transcribe([toneSpeech('bb', 2), toneSpeech('abc', 0)]);
    expect(transcripts.map((transcript) => transcript.text)).toEqual(['bb', 'abc']);
    const [, second, third] = transcripts[1].tokens;
    expect(third.seconds).toBeGreaterThan(second.seconds ?? Number.NaN);
  }, 120_000);

  it('decodes in batches what it decodes one by one, frame by frame', async () => {
    const engine = createReferenceEngine();
    const model = EncDecRNNTBPEModel.fromConfig(
      tinyModel({ decoding: { greedy: { max_symbols: 3, window: 4 } } }),
      { seed: 5, engine },
    );
    // A lower score of blank, so that an untrained model says something.
    const bias = [...model.stateDict().values()].find((state) => state.name === 'joint.joint_net.1.bias')!;
    await engine.write(bias, Float32Array.of(0.3, 0.2, 0.25, 0.1, 0.25));
    const batch = batchOf(model, ['abc', 'ca', 'bb a', 'c']);
    const { hypotheses } = await model.recognizer(engine).recognize(batch.inputs, false);
    const reference = await plainGreedy(engine, model, batch.inputs, 3);
    expect(hypotheses.map((h) => h.tokens)).toEqual(reference);
    expect(reference.some((tokens) => tokens.length > 5)).toBe(true);
  });

  it('names a missing vocabulary', () => {
    expect(() => EncDecRNNTBPEModel.fromConfig(tinyModel({ labels: null }))).toThrow(/tokenizer/);
    expect(letters.length).toBe(4);
  });
});

/** The textbook loop: one utterance, one frame, one symbol at a time. */
async function plainGreedy(
  engine: Engine,
  model: EncDecRNNTBPEModel,
  inputs: HostTensors,
  maxSymbols: number,
): Promise<number[][]> {
  const encoded = await engine
    .compile('encode', (tensors) => {
      const { projected, lengths } = model.forward(tensors, evaluationPass);
      return { projected, lengths };
    })
    .run(inputs);
  const [, frames, width] = encoded['projected'].shape;
  const logits = engine.compile('logits', ({ frame, tokens }) => {
    const prediction = model.decoder.forward(tokens, evaluationPass);
    const last = tf.slice(prediction, [0, prediction.shape[1]! - 1, 0], [1, 1, -1]);
    return { logits: model.joint.logits(frame, model.joint.projectPrediction(last)) };
  });
  const results: number[][] = [];
  for (let b = 0; b < encoded['lengths'].data.length; b++) {
    const tokens: number[] = [];
    for (let t = 0; t < encoded['lengths'].data[b]; t++) {
      const at = (b * frames + t) * width;
      const frame = float32(encoded['projected'].data.slice(at, at + width) as Float32Array, [1, 1, width]);
      for (let symbols = 0; symbols < maxSymbols; symbols++) {
        const out = await logits.run({ frame, tokens: int32(tokens, [1, tokens.length]) });
        const scores = [...out['logits'].data];
        const best = scores.indexOf(Math.max(...scores));
        if (best === model.decoder.vocabulary) break;
        tokens.push(best);
      }
    }
    results.push(tokens);
  }
  return results;
}
