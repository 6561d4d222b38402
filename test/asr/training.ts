// Batches of tone speech and a minimal training program for the model tests.
import type { SpeechModel } from '../../src/asr/index.js';
import {
  type Engine,
  float32,
  type HostTensors,
  int32,
  State,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import type { Batch } from '../../src/model/index.js';
import { type Parameter, trainingPass } from '../../src/nn/index.js';
import { toneSpeech } from './support.js';

/** A padded batch of tone speech, as the loader would make it. */
export function batchOf(model: SpeechModel, texts: readonly string[]): Batch {
  const computed = texts.map((text, i) => model.preprocessor.frontEnd.compute(toneSpeech(text, i)));
  const bins = 16;
  const frames = Math.max(...computed.map((item) => item.frames));
  const features = new Float32Array(texts.length * frames * bins);
  for (const [i, item] of computed.entries()) {
    features.set(item.features.subarray(0, item.frames * bins), i * frames * bins);
  }
  const ids = texts.map((text) => model.tokenizer.textToIds(text));
  const width = Math.max(...ids.map((list) => list.length));
  const targets = new Int32Array(texts.length * width);
  for (const [i, list] of ids.entries()) targets.set(list, i * width);
  const inputs: HostTensors = {
    features: float32(features, [texts.length, frames, bins]),
    featureLengths: int32(
      computed.map((item) => item.frames),
      [texts.length],
    ),
    targets: int32(targets, [texts.length, width]),
    targetLengths: int32(
      ids.map((list) => list.length),
      [texts.length],
    ),
  };
  return { inputs, size: texts.length, units: 1, names: texts.map((_, i) => `item ${i}`), texts };
}

/** A training program with Adam, as short as possible. */
export function trainer(engine: Engine, model: SpeechModel, rate: number) {
  const parameters: Parameter[] = [...model.parameters()].filter((p) => p.trainable);
  const slots = parameters.map((p) => [new State(`m.${p.name}`, p.shape), new State(`v.${p.name}`, p.shape)]);
  return engine.compile('train', (inputs) => {
    const { value, grads } = valueAndGrads(() => model.trainingStep(inputs, trainingPass).loss, parameters);
    parameters.forEach((parameter, i) => {
      const [m, v] = slots[i];
      const mix = (old: Tensor, now: Tensor, keep: number): Tensor =>
        tf.add(tf.mul(old, tf.scalar(keep)), tf.mul(now, tf.scalar(1 - keep)));
      m.assign(mix(m.tensor(), grads[i], 0.8));
      v.assign(mix(v.tensor(), tf.square(grads[i]), 0.95));
      const step = tf.div(m.tensor(), tf.add(tf.sqrt(v.tensor()), tf.scalar(1e-6)));
      parameter.assign(tf.sub(parameter.tensor(), tf.mul(step, tf.scalar(rate))));
    });
    return { loss: value };
  });
}
