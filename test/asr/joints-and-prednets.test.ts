// HATJoint and StatelessTransducerDecoder against their definitions.
import { describe, expect, it } from 'vitest';
import { HATJoint, StatelessTransducerDecoder } from '../../src/asr/index.js';
import { createReferenceEngine, float32, int32, type Tensor } from '../../src/engine/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { gradientError, maxDifference, randomTensor } from '../nn/support.js';

describe('HATJoint', () => {
  const joint = new HATJoint({
    num_classes: 3,
    jointnet: { encoder_hidden: 5, pred_hidden: 4, joint_hidden: 2, activation: 'relu', dropout: 0.1 },
  });

  it('has the parameter names of NeMo', () => {
    const shapes = Object.fromEntries([...joint.stateDict()].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual({
      'pred.weight': [2, 4],
      'pred.bias': [2],
      'enc.weight': [2, 5],
      'enc.bias': [2],
      'joint_net.2.weight': [3, 2],
      'joint_net.2.bias': [3],
      'blank_pred.2.weight': [1, 2],
      'blank_pred.2.bias': [1],
    });
  });

  it('gives blank by a sigmoid and shares the rest by a softmax', async () => {
    const engine = createReferenceEngine();
    const states = joint.stateDict();
    const set = (name: string, values: number[]) =>
      engine.write(states.get(name)!, Float32Array.from(values));
    const weight = [0.5, -1, 2, 0.25, -0.75, 1];
    await set('joint_net.2.weight', weight);
    await set('joint_net.2.bias', [0.1, 0.2, 0.3]);
    await set('blank_pred.2.weight', [1.5, -0.5]);
    await set('blank_pred.2.bias', [0.25]);
    const sum = [0.8, -0.6];
    const out = await engine
      .compile('hat', ({ f, g, encoder, prediction, targets }) => ({
        logits: joint.logits(f, g),
        own: joint.internalLanguageModel(g),
        picks: joint.picks({ encoder, prediction, targets }, evaluationPass, { variant: { kind: 'rnnt' } }),
      }))
      .run({
        f: float32([0.5, -0.4], [1, 2]),
        g: float32([0.3, -0.2], [1, 2]),
        encoder: float32([0.5, -0.4, 1, 1], [1, 2, 2]),
        prediction: float32([0.3, -0.2, 0, 0], [1, 2, 2]),
        targets: int32([2], [1, 1]),
      });
    const hidden = sum.map((x) => Math.max(x, 0));
    const scores = [0, 1, 2].map(
      (k) => weight[2 * k] * hidden[0] + weight[2 * k + 1] * hidden[1] + 0.1 * (k + 1),
    );
    const total = scores.reduce((s, x) => s + Math.exp(x), 0);
    const decision = 1.5 * Math.tanh(sum[0]) - 0.5 * Math.tanh(sum[1]) + 0.25;
    const blank = 1 / (1 + Math.exp(-decision));
    const expected = [...scores.map((x) => (Math.exp(x) / total) * (1 - blank)), blank].map(Math.log);
    expect(maxDifference(out['logits'].data, expected)).toBeLessThan(1e-5);
    expect(Math.abs(expected.reduce((s, x) => s + Math.exp(x), 0) - 1)).toBeLessThan(1e-6);
    expect(maxDifference(out['picks'].data.slice(0, 2), [expected[3], expected[2]])).toBeLessThan(1e-5);
    const ownSum = [...out['own'].data].reduce((s, x) => s + Math.exp(x), 0);
    expect(ownSum).toBeCloseTo(1, 5);
    expect(maxDifference(out['own'].data, out['logits'].data.slice(0, 3))).toBeGreaterThan(0.01);
  });

  it('gradient of its picks equals finite differences', async () => {
    const error = await gradientError(
      ({ encoder, prediction, targets }) =>
        joint.picks({ encoder, prediction, targets }, evaluationPass, { variant: { kind: 'rnnt' } }),
      { encoder: randomTensor([2, 4, 2], 1), prediction: randomTensor([2, 3, 2], 2) },
      { constant: { targets: int32([0, 2, 1, 1], [2, 2]) } },
    );
    expect(error).toBeLessThan(5e-3);
  });
});

describe.each([
  ['three tokens, normalised', 3, 'layer'],
  ['two tokens', 2, null],
  ['one token', 1, null],
] as const)('StatelessTransducerDecoder: %s', (_name, context, mode) => {
  const decoder = new StatelessTransducerDecoder({
    vocab_size: 5,
    context_size: context,
    normalization_mode: mode,
    prednet: { pred_hidden: 9, dropout: 0 },
  });
  const older = Math.floor(4 / context);
  const widths = Array.from({ length: context }, (_, i) => (i === 0 ? 9 - older * (context - 1) : older));

  it('has an embedding for each position, the newest the widest', () => {
    const shapes = [...decoder.stateDict()].map(([name, { shape }]) => [name, shape]);
    expect(shapes).toEqual(widths.map((width, i) => [`prediction.embeds.${i}.weight`, [6, width]]));
  });

  it('puts the embeddings of the last tokens side by side, in training and step by step', async () => {
    const engine = createReferenceEngine();
    const targets = [2, 4, 0, 3];
    const tables = await Promise.all([...decoder.stateDict().values()].map((state) => engine.read(state)));
    const { whole } = await engine
      .compile('whole', ({ targets }) => ({ whole: decoder.forward(targets, evaluationPass) }))
      .run({ targets: int32(targets, [1, 4]) });
    const expected = [-1, 0, 1, 2, 3].map((at) => {
      const row = widths.flatMap((width, i) => {
        const token = at - i >= 0 ? targets[at - i] : -1;
        const start = token * width;
        return token < 0 ? new Array<number>(width).fill(0) : [...tables[i].slice(start, start + width)];
      });
      if (mode === null || at < 0) return row;
      const mean = row.reduce((s, x) => s + x, 0) / 9;
      const variance = row.reduce((s, x) => s + (x - mean) ** 2, 0) / 9;
      return row.map((x) => (x - mean) / Math.sqrt(variance + 1e-5));
    });
    expect(maxDifference(whole.data, expected.flat())).toBeLessThan(1e-5);

    const step = engine.compile('step', ({ last, state }) => {
      const next = decoder.step(last, state);
      return { output: next.output, state: next.state } as Record<string, Tensor>;
    });
    let state = decoder.initialState();
    for (const [u, last] of [5, ...targets].entries()) {
      const out = await step.run({
        last: int32([last], [1]),
        state: float32(state, [1, decoder.stateSize]),
      });
      expect(maxDifference(out['output'].data, expected[u])).toBeLessThan(1e-5);
      state = out['state'].data as Float32Array;
    }
  });
});
