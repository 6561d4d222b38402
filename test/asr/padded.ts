// Batches padded further than they need, with noise in what was added, so that whatever reads it fails.
import { expect } from 'vitest';
import type { SpeechModel } from '../../src/asr/index.js';
import {
  type Engine,
  float32,
  type HostTensor,
  type HostTensors,
  int32,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';

/**
 * Single precision, in which sums over frames have another order at another shape. Gradients and statistics are measured as
 * a share of the largest: seen are 3e-5 at most, behind convolutions and batch norms.
 */
const TOLERANCE = 1e-4;
/** Relative. A program that is not told the number of frames is off by 2e-4 and more. */
const LOSS_TOLERANCE = 1e-5;

/** Frames of the batch beyond its longest utterance: one, as NeMo has without `pad_to`. */
const OWN_PADDING = 1;
const ADDED = [
  { frames: 0, tokens: 0 },
  { frames: 7, tokens: 2 },
  { frames: 64, tokens: 5 },
];

/** What a model makes of a batch, in training and evaluation, is the same however far it was padded beyond its own frames. */
export async function expectSameHoweverPadded(
  engine: Engine,
  model: SpeechModel,
  batch: HostTensors,
): Promise<void> {
  // Without the number of frames: a program for batches of just this size.
  const exact = await results(engine, model, padded(batch, OWN_PADDING, 0));
  expect(exact.texts.join()).toMatch(/\d/);
  for (const added of ADDED) {
    const inputs = padded(batch, OWN_PADDING, 0);
    const batchFrames = int32([inputs['features'].shape[1]!], [1]);
    const { texts, values } = await results(engine, model, {
      ...padded(inputs, added.frames, added.tokens, 7),
      batchFrames,
    });
    for (const [name, value] of Object.entries(values)) {
      expect(furthest(value, exact.values[name]), `${name}, ${added.frames} frames more`).toBeLessThan(
        name.startsWith('loss') ? LOSS_TOLERANCE : TOLERANCE,
      );
    }
    expect(texts).toEqual(exact.texts);
  }
}

/** Makes an untrained model say something: lower scores of blank. */
export async function speakUp(engine: Engine, model: SpeechModel): Promise<void> {
  for (const state of model.stateDict().values()) {
    if (state.name === 'joint.blank_pred.2.bias') await engine.write(state, Float32Array.of(-3));
    if (!/^(ctc_)?decoder\.decoder_layers\.0\.bias$/.test(state.name)) continue;
    await engine.write(state, Float32Array.of(0, 0, 0, 0, -3));
  }
}

/** Inputs with so many frames and tokens more, `noise` times normal noise and any token. */
function padded(inputs: HostTensors, frames: number, tokens: number, noise = 0): HostTensors {
  const random = new CounterRandom(9);
  const { features, targets } = inputs;
  return {
    ...inputs,
    features: longer(features, frames, (i) => noise * random.normal(i)),
    targets: longer(targets, tokens, (i) => i % 4),
  };
}

/** x [B,T,...] with `more` items of the second axis. */
function longer({ dtype, shape, data }: HostTensor, more: number, fill: (i: number) => number): HostTensor {
  const [batch, length, ...rest] = shape;
  const item = rest.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: batch }, (_, b) => [
    ...data.subarray(b * length! * item, (b + 1) * length! * item),
    ...Array.from({ length: more * item }, (_, i) => fill(i)),
  ]).flat();
  const wider = [batch, length! + more, ...rest];
  return dtype === 'int32' ? int32(values, wider) : float32(Float32Array.from(values), wider);
}

/** A step of training without an update of the weights, and evaluation, both from the weights as they are. */
async function results(
  engine: Engine,
  model: SpeechModel,
  inputs: HostTensors,
): Promise<{ texts: readonly string[]; values: Record<string, ArrayLike<number>> }> {
  const parameters = [...model.parameters()].filter(({ trainable }) => trainable);
  const buffers = [...model.stateDict().values()].filter(({ name }) => name.includes('running_'));
  const before = await Promise.all(buffers.map(async (buffer) => (await engine.read(buffer)).slice()));
  const training = engine.compile('train', (inputs) => {
    const { value, grads } = valueAndGrads(() => model.trainingStep(inputs, trainingPass).loss, parameters);
    return { loss: value, gradient: tf.concat(grads.map((grad) => tf.reshape(grad, [-1]))) };
  });
  const { hypotheses, losses } = await model.recognizer(engine).recognize(inputs, true);
  const trained = await training.run(inputs, { random: new CounterRandom(4) });
  const values: Record<string, ArrayLike<number>> = {
    'loss in evaluation': [losses!['loss']],
    'loss in training': trained['loss'].data,
    gradient: trained['gradient'].data,
  };
  for (const [i, buffer] of buffers.entries()) {
    values[buffer.name] = (await engine.read(buffer)).slice();
    await engine.write(buffer, before[i]);
  }
  training.dispose();
  return { texts: hypotheses.map(({ tokens }) => tokens.join(' ')), values };
}

/** Of the largest. */
function furthest(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [most, scale] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    most = Math.max(
      most,
      Number.isFinite(found[i]) ? Math.abs(found[i] - wanted[i]) : Number.POSITIVE_INFINITY,
    );
    scale = Math.max(scale, Math.abs(wanted[i]));
  }
  return most / scale;
}
