// Prediction network and joint of any transducer as one file, or as two: plain RNN-T, big blanks, TDT, HAT; LSTM or
// stateless.
import {
  type ExportedInput,
  type HostTensors,
  scan,
  type Tensor,
  type Tensors,
  tf,
} from '../../engine/index.js';
import { HATJoint } from '../decoders/hat-joint.js';
import type { PredictionNetwork } from '../decoders/prediction-network.js';
import { RNNTDecoder } from '../decoders/rnnt-decoder.js';
import type { TransducerJoint } from '../decoders/transducer-joint.js';
import { outputLayout, type TransducerVariant } from '../decoders/transducer-variant.js';
import { EXAMPLES, noise, type Subnet } from './subnets.js';

/** A transducer behind its encoder. */
export interface TransducerHead {
  readonly decoder: PredictionNetwork;
  readonly joint: TransducerJoint;
  readonly variant: TransducerVariant;
}

/** How a file has the state of a prediction network; zeros are the start. The network's own is [B,S]. */
interface StateForm {
  readonly inputs: Readonly<Record<string, ExportedInput>>;
  /** The file's inputs → [B,S] */
  readonly enter: (inputs: Tensors) => Tensor;
  /** [B,S] → the file's outputs */
  readonly leave: (state: Tensor) => Tensors;
  readonly sample: (batch: number, key: number) => HostTensors;
}

/**
 * `encoder_outputs` [B,D,T], `targets` int32 [B,U] (blank: no token yet), `target_length` int32 [B] and the state →
 * `outputs` [B,T,U,K], `prednet_lengths` and the state after. Of K outputs, tokens and blanks are log-probabilities
 * together and durations (TDT), which come last, are others. The state is `input_states_1`, `input_states_2` [L,B,H]
 * of an LSTM (outputs, cells), `input_states_1` [1,B,S] of a stateless network.
 */
export function decoderJointSubnet({ decoder, joint, variant }: TransducerHead): Subnet {
  const depth = joint.config.jointnet.encoder_hidden;
  const state = stateOf(decoder);
  return {
    prefix: 'decoder_joint-',
    spec: {
      name: 'decoder_joint',
      inputs: {
        encoder_outputs: { dtype: 'float32', axes: ['batch', depth, 'time'] },
        targets: { dtype: 'int32', axes: ['batch', 'tokens'] },
        target_length: { dtype: 'int32', axes: ['batch'] },
        ...state.inputs,
      },
      examples: EXAMPLES,
      fn: (inputs) => {
        const { prediction, after } = predict(decoder, inputs['targets'], state.enter(inputs));
        return {
          outputs: latticeOutputs({ decoder, joint, variant }, inputs['encoder_outputs'], prediction),
          prednet_lengths: tf.clone(inputs['target_length']),
          ...state.leave(after),
        };
      },
    },
    samples: [
      [1, 1, 1],
      [3, 5, 4],
    ].map(([batch, time, tokens], i) => ({
      encoder_outputs: noise([batch, depth, time], i),
      ...someTargets(batch, tokens, decoder.vocabulary),
      ...state.sample(batch, 10 + i),
    })),
  };
}

/**
 * The prediction network alone: `targets` int32 [B,U], `target_length` int32 [B] and the state, all as in
 * `decoderJointSubnet` → `outputs` [B,H,U], `prednet_lengths` and the state after.
 */
export function predictionSubnet(decoder: PredictionNetwork): Subnet {
  const state = stateOf(decoder);
  return {
    prefix: 'decoder-',
    spec: {
      name: 'decoder',
      inputs: {
        targets: { dtype: 'int32', axes: ['batch', 'tokens'] },
        target_length: { dtype: 'int32', axes: ['batch'] },
        ...state.inputs,
      },
      examples: EXAMPLES,
      fn: (inputs) => {
        const { prediction, after } = predict(decoder, inputs['targets'], state.enter(inputs));
        return {
          outputs: tf.transpose(prediction, [0, 2, 1]),
          prednet_lengths: tf.clone(inputs['target_length']),
          ...state.leave(after),
        };
      },
    },
    samples: [
      [1, 1],
      [3, 4],
    ].map(([batch, tokens], i) => ({
      ...someTargets(batch, tokens, decoder.vocabulary),
      ...state.sample(batch, 10 + i),
    })),
  };
}

/** The joint alone: `encoder_outputs` [B,D,T] and `decoder_outputs` [B,H,U] → `outputs` [B,T,U,K]. */
export function joinerSubnet({ decoder, joint, variant }: TransducerHead): Subnet {
  const depth = joint.config.jointnet.encoder_hidden;
  return {
    prefix: 'joiner-',
    spec: {
      name: 'joiner',
      inputs: {
        encoder_outputs: { dtype: 'float32', axes: ['batch', depth, 'time'] },
        decoder_outputs: { dtype: 'float32', axes: ['batch', decoder.width, 'tokens'] },
      },
      examples: EXAMPLES,
      fn: (inputs) => {
        const prediction = tf.transpose(inputs['decoder_outputs'], [0, 2, 1]);
        return {
          outputs: latticeOutputs({ decoder, joint, variant }, inputs['encoder_outputs'], prediction),
        };
      },
    },
    samples: [
      [1, 1, 1],
      [3, 5, 4],
    ].map(([batch, time, tokens], i) => ({
      encoder_outputs: noise([batch, depth, time], i),
      decoder_outputs: noise([batch, decoder.width, tokens], 10 + i),
    })),
  };
}

/** encoder [B,D,T], prediction [B,U,H] → [B,T,U,K]. */
function latticeOutputs({ joint, variant }: TransducerHead, encoder: Tensor, prediction: Tensor): Tensor {
  const frames = joint.projectEncoder(tf.transpose(encoder, [0, 2, 1]));
  const labels = joint.projectPrediction(prediction);
  const logits = joint.logits(tf.expandDims(frames, 2), tf.expandDims(labels, 1));
  return normalised(logits, joint, variant);
}

/** Targets of a trial, the first of them "no token yet". */
function someTargets(batch: number, tokens: number, vocabulary: number): HostTensors {
  return {
    targets: {
      dtype: 'int32',
      shape: [batch, tokens],
      data: Int32Array.from({ length: batch * tokens }, (_, j) => (vocabulary + 3 * j) % (vocabulary + 1)),
    },
    target_length: { dtype: 'int32', shape: [batch], data: new Int32Array(batch).fill(tokens) },
  };
}

/** What a program must know of the outputs, for the metadata of the files. */
export function describeHead({ decoder, variant }: TransducerHead): Record<string, string> {
  const { blank } = outputLayout(variant, decoder.vocabulary);
  const knownTrial = {
    transducer: variant.kind,
    blank_id: String(blank),
    vocab_size: String(decoder.vocabulary),
    ...(decoder instanceof RNNTDecoder && {
      pred_rnn_layers: String(decoder.layers),
      pred_hidden: String(decoder.width),
    }),
  };
  return variant.kind === 'rnnt'
    ? knownTrial
    : { ...knownTrial, durations: JSON.stringify(variant.durations) };
}

/** Over targets [B,U] from a state [B,S]: outputs [B,U,H] and the state after them. */
function predict(decoder: PredictionNetwork, targets: Tensor, start: Tensor) {
  // Any number from the vocabulary on means "no token yet"; big blanks put blank further up than tables reach.
  const knownTargets = tf.minimum(targets, tf.scalar(decoder.vocabulary, 'int32'));
  const { carry, ys } = scan(
    ([state], [last]) => {
      const next = decoder.step(last, state);
      return { carry: [next.state], ys: [tf.clone(next.output)] };
    },
    [start],
    [tf.transpose(knownTargets)],
  );
  return { prediction: tf.transpose(ys[0], [1, 0, 2]), after: carry[0] };
}

/** Logits [B,T,U,K] as log-probabilities, tokens with blanks and durations each by themselves. */
function normalised(logits: Tensor, joint: TransducerJoint, variant: TransducerVariant): Tensor {
  if (joint instanceof HATJoint) return logits;
  const { tokens, durations } = outputLayout(variant, joint.vocabulary);
  if (durations === 0) return tf.logSoftmax(logits);
  const [ofTokens, ofDurations] = tf.split(logits, [tokens, durations], 3);
  return tf.concat([tf.logSoftmax(ofTokens), tf.logSoftmax(ofDurations)], 3);
}

const stateOf = (decoder: PredictionNetwork) =>
  decoder instanceof RNNTDecoder ? lstmState(decoder) : historyState(decoder);

function lstmState(decoder: RNNTDecoder): StateForm {
  const { layers, width, cells } = decoder;
  const form = (size: number) => ({ dtype: 'float32', axes: [layers, 'batch', size] }) as const;
  return {
    inputs: { input_states_1: form(width), input_states_2: form(cells) },
    // The network's own has outputs and cells of a layer side by side.
    enter: ({ input_states_1: hidden, input_states_2: cells }) => {
      const cellsOf = tf.unstack(cells, 0);
      return tf.concat(tf.unstack(hidden, 0).flatMap((h, k) => [h, cellsOf[k]]), 1); // biome-ignore format: one line reads better
    },
    leave: (state) => {
      const parts = decoder.split(state);
      return {
        output_states_1: tf.stack(parts.filter((_, i) => i % 2 === 0)),
        output_states_2: tf.stack(parts.filter((_, i) => i % 2 === 1)),
      };
    },
    sample: (batch, key) => ({
      input_states_1: noise([layers, batch, width], key),
      input_states_2: noise([layers, batch, cells], 10 + key),
    }),
  };
}

/** The tokens before the last one, less the vocabulary's size, so that zero is none. */
function historyState({ stateSize, vocabulary }: PredictionNetwork): StateForm {
  const none = () => tf.scalar(vocabulary);
  return {
    inputs: { input_states_1: { dtype: 'float32', axes: [1, 'batch', stateSize] } },
    enter: ({ input_states_1: state }) => tf.add(tf.squeeze(state, [0]), none()),
    leave: (state) => ({ output_states_1: tf.expandDims(tf.sub(state, none()), 0) }),
    sample: (batch, key) => ({
      input_states_1: {
        dtype: 'float32',
        shape: [1, batch, stateSize],
        data: Float32Array.from({ length: batch * stateSize }, (_, i) => -((i + key) % (vocabulary + 1))),
      },
    }),
  };
}
