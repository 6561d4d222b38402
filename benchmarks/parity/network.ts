// Every stage that a model computes of a batch, under the names and in the layouts of NeMo's ports, and which
// part of each counts.
import { type Engine, type HostTensors, type Tensors, tf } from '../../src/engine/index.js';
import {
  EncDecCTCModelBPE,
  EncDecHybridRNNTCTCBPEModel,
  EncDecRNNTBPEModel,
  type SpeechModel,
} from '../../src/index.js';
import { evaluationPass, type Pass } from '../../src/nn/index.js';
import type { Valid } from './measure.js';

/** @param inputs as in `Batch.inputs` */
export async function stagesOfBatch(
  model: SpeechModel,
  engine: Engine,
  inputs: HostTensors,
): Promise<HostTensors> {
  const program = engine.compile('stages', (tensors) => stages(model, tensors));
  try {
    return await program.run(inputs);
  } finally {
    program.dispose();
  }
}

function stages(model: SpeechModel, inputs: Tensors): Tensors {
  const out: Tensors = {};
  const pass: Pass = {
    training: false,
    tap: (path, x) => {
      if (/^encoder\.(pre_encode|layers\.\d+)$/.test(path)) out[path] = tf.clone(x);
      return x;
    },
  };
  const { features, featureLengths, targets } = inputs;
  const { encoded, lengths } = model.encoder.forward(features, featureLengths, pass);
  out['encoder.outputs'] = tf.transpose(encoded, [0, 2, 1]);
  out['encoder.encoded_lengths'] = tf.clone(lengths);
  const { loss, logs } = model.trainingStep(inputs, evaluationPass);
  out['loss'] = tf.clone(loss);
  if (model instanceof EncDecRNNTBPEModel) {
    const { joint, decoder } = model;
    const predicted = decoder.forward(targets, evaluationPass);
    out['decoder.outputs'] = tf.transpose(predicted, [0, 2, 1]);
    const frames = tf.expandDims(joint.projectEncoder(encoded), 2);
    const rows = tf.expandDims(joint.projectPrediction(predicted), 1);
    out['joint.outputs'] = tf.logSoftmax(joint.logits(frames, rows));
    out['loss.rnnt'] = tf.clone(logs?.['rnnt_loss'] ?? loss);
  }
  const head = model instanceof EncDecHybridRNNTCTCBPEModel ? model.ctcDecoder : undefined;
  if (head) {
    out['ctc_decoder.logprobs'] = head.forward(encoded, evaluationPass);
    out['loss.ctc'] = tf.clone(logs?.['ctc_loss'] ?? loss);
  } else if (model instanceof EncDecCTCModelBPE) {
    out['decoder.logprobs'] = model.decoder.forward(encoded, evaluationPass);
    out['loss.ctc'] = tf.clone(loss);
  }
  return out;
}

/** What of a stage counts, given the lengths [B] of frames, encoder frames and targets. */
export function validOf(
  stage: string,
  shape: readonly number[],
  lengths: Readonly<Record<'frames' | 'encoded' | 'targets', ArrayLike<number>>>,
): readonly Valid[] {
  const rows = Array.from(lengths.targets, (n) => n + 1);
  if (/_signal$/.test(stage)) return [{ axis: 2, lengths: lengths.frames }];
  if (stage === 'encoder.outputs') return [{ axis: 2, lengths: lengths.encoded }];
  if (/logprobs$/.test(stage)) return [{ axis: 1, lengths: lengths.encoded }];
  if (stage === 'decoder.outputs') return [{ axis: 2, lengths: rows }];
  if (stage === 'joint.outputs') return [{ axis: 1, lengths: lengths.encoded }, { axis: 2, lengths: rows }]; // biome-ignore format: one line reads better
  // Layers at another frame rate than the output's count where every rate has frames.
  if (/pre_encode|layers/.test(stage)) {
    const last = Math.max(...Array.from(lengths.encoded));
    return shape[1] < last ? [{ axis: 1, lengths: [0, 0, 0] }] : [{ axis: 1, lengths: lengths.encoded }];
  }
  return [];
}
