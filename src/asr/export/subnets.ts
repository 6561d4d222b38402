// The parts of speech models that other programs run, with the names and layouts of NeMo's exported files.
import {
  type ExportSpec,
  type HostTensors,
  scan,
  type Tensor,
  type Tensors,
  tf,
} from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { evaluationPass } from '../../nn/index.js';
import { CounterRandom } from '../../random/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { PredictionNetwork } from '../decoders/prediction-network.js';
import { RNNTDecoder } from '../decoders/rnnt-decoder.js';
import { RNNTJoint } from '../decoders/rnnt-joint.js';
import type { TransducerJoint } from '../decoders/transducer-joint.js';
import type { Encoder } from '../encoders/encoder.js';

/** One file of an exported model. */
export interface Subnet {
  /** Put before the file's name: `encoder-`, `decoder_joint-` or nothing. */
  readonly prefix: string;
  readonly spec: Omit<ExportSpec, 'read' | 'metadata'>;
  /** Inputs that the file is tried with: sizes that are not among the examples. */
  readonly samples: readonly HostTensors[];
}

/**
 * Sizes to trace at: times of every remainder modulo 16, and the axes in orders of their own (a triangular number, a
 * multiple), for an axis that grows along with another would be taken for it.
 */
const EXAMPLES = Array.from({ length: 16 }, (_, i) => ({
  batch: 3 + 2 * (((i * (i + 1)) / 2) % 16),
  time: 401 + 61 * i,
  tokens: 45 + 7 * ((5 * i + 3) % 16),
}));

/** Most feature frames that a file takes which is to take `maxFrames` encoder frames: no fewer than are traced. */
export function longestInput(encoder: Encoder, maxFrames: number): number {
  return Math.max(maxFrames * encoder.subsamplingFactor, ...EXAMPLES.map(({ time }) => time + 1));
}

export interface EncoderSubnetOptions {
  readonly encoder: Encoder;
  /** Mel bins. */
  readonly features: number;
  /** Encoder frames that the file is to take at least; tables of positions are as long. */
  readonly maxFrames: number;
  /** For a file that goes on to log-probabilities. */
  readonly ctc?: ConvASRDecoder;
}

/**
 * `audio_signal` [B,F,T] features and `length` int64 [B] → `outputs` [B,D,T'] or, with `ctc`, `logprobs` [B,T',V+1];
 * and `encoded_lengths` int64 [B].
 */
export function encoderSubnet({ encoder, features, maxFrames, ctc }: EncoderSubnetOptions): Subnet {
  return {
    prefix: ctc ? '' : 'encoder-',
    spec: {
      name: ctc ? 'encoder-ctc' : 'encoder',
      inputs: {
        audio_signal: { dtype: 'float32', axes: ['batch', features, 'time'] },
        length: { dtype: 'int32', axes: ['batch'], int64: true },
      },
      int64Outputs: ['encoded_lengths'],
      examples: [...EXAMPLES, { batch: 2, time: longestInput(encoder, maxFrames) }],
      fn: ({ audio_signal: signal, length }) => {
        const { encoded, lengths } = encoder.forward(tf.transpose(signal, [0, 2, 1]), length, evaluationPass);
        const output: Tensors = ctc
          ? { logprobs: ctc.forward(encoded, evaluationPass) }
          : { outputs: tf.transpose(encoded, [0, 2, 1]) };
        return { ...output, encoded_lengths: tf.clone(lengths) };
      },
    },
    samples: [
      [1, 16, [16]],
      [1, 97, [97]],
      [3, 146, [146, 61, 20]],
    ].map(([batch, time, lengths], i) => ({
      audio_signal: noise([batch as number, features, time as number], i),
      length: { dtype: 'int32', shape: [batch as number], data: Int32Array.from(lengths as number[]) },
    })),
  };
}

/**
 * `encoder_outputs` [B,D,T], `targets` int32 [B,U] (blank: no token yet), `target_length` int32 [B] and the states
 * `input_states_1`, `input_states_2` [L,B,H] → `outputs` [B,T,U,V+1] log-probabilities, `prednet_lengths`,
 * `output_states_1`, `output_states_2`.
 * @throws AnemoneError `export.unsupported` for stateless networks, HAT, TDT and big blanks
 */
export function decoderJointSubnet(decoder: PredictionNetwork, joint: TransducerJoint): Subnet {
  if (!(decoder instanceof RNNTDecoder && joint instanceof RNNTJoint && joint.extraOutputs === 0)) {
    throw new AnemoneError({
      code: 'export.unsupported',
      message: 'only plain transducers with an LSTM prediction network can become ONNX files so far',
      hint: 'export a CTC branch, or save the model as .nemo',
    });
  }
  const { layers, width, vocabulary: blank } = decoder;
  const state = { dtype: 'float32', axes: [layers, 'batch', width] } as const;
  const depth = joint.config.jointnet.encoder_hidden;
  return {
    prefix: 'decoder_joint-',
    spec: {
      name: 'decoder_joint',
      inputs: {
        encoder_outputs: { dtype: 'float32', axes: ['batch', depth, 'time'] },
        targets: { dtype: 'int32', axes: ['batch', 'tokens'] },
        target_length: { dtype: 'int32', axes: ['batch'] },
        input_states_1: state,
        input_states_2: state,
      },
      examples: EXAMPLES,
      fn: (inputs) => {
        const { prediction, hidden, cells } = predict(decoder, inputs);
        const frames = joint.projectEncoder(tf.transpose(inputs['encoder_outputs'], [0, 2, 1]));
        const labels = joint.projectPrediction(prediction);
        const logits = joint.logits(tf.expandDims(frames, 2), tf.expandDims(labels, 1));
        return {
          outputs: tf.logSoftmax(logits),
          prednet_lengths: tf.clone(inputs['target_length']),
          output_states_1: hidden,
          output_states_2: cells,
        };
      },
    },
    samples: [
      [1, 1, 1],
      [3, 5, 4],
    ].map(([batch, time, tokens], i) => ({
      encoder_outputs: noise([batch, depth, time], i),
      targets: {
        dtype: 'int32',
        shape: [batch, tokens],
        data: Int32Array.from({ length: batch * tokens }, (_, j) => (blank + 3 * j) % (blank + 1)),
      },
      target_length: { dtype: 'int32', shape: [batch], data: new Int32Array(batch).fill(tokens) },
      input_states_1: noise([layers, batch, width], 10 + i),
      input_states_2: noise([layers, batch, width], 20 + i),
    })),
  };
}

/** The prediction network from given states [L,B,H] over targets [B,U]: outputs [B,U,H] and states after. */
function predict(decoder: RNNTDecoder, inputs: Readonly<Record<string, Tensor>>) {
  const { layers } = decoder;
  const { targets, input_states_1: hidden, input_states_2: cells } = inputs;
  const cellsOf = tf.unstack(cells, 0);
  // The network's own state is [B, layers · 2H]: hidden values and cells of a layer side by side.
  const start = tf.concat(tf.unstack(hidden, 0).flatMap((h, k) => [h, cellsOf[k]]), 1); // biome-ignore format: one line reads better
  const { carry, ys } = scan(
    ([state], [last]) => {
      const after = decoder.step(last, state);
      return { carry: [after.state], ys: [tf.clone(after.output)] };
    },
    [start],
    [tf.transpose(targets)],
  );
  const parts = tf.split(carry[0], 2 * layers, 1);
  return {
    prediction: tf.transpose(ys[0], [1, 0, 2]),
    hidden: tf.stack(parts.filter((_, i) => i % 2 === 0)),
    cells: tf.stack(parts.filter((_, i) => i % 2 === 1)),
  };
}

function noise(shape: readonly number[], key: number) {
  const random = new CounterRandom(key, 'export');
  const size = shape.reduce((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length: size }, (_, i) => random.normal(i));
  return { dtype: 'float32', shape, data } as const;
}
