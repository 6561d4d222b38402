// What every stage of a model makes of one recording, under the names and in the layouts of NeMo's ports, so
// that two implementations, or two states of one model, can be compared number by number.
import {
  type Engine,
  type HostTensor,
  type HostTensors,
  type Tensor,
  type Tensors,
  tf,
} from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { evaluationPass, type Pass } from '../../nn/index.js';
import type { ConvASRDecoder } from '../decoders/conv-asr-decoder.js';
import type { Encoded } from '../encoders/encoder.js';
import { EncDecCTCModelBPE } from '../models/ctc-model.js';
import { EncDecHybridRNNTCTCBPEModel } from '../models/hybrid-model.js';
import { EncDecMultiTaskModel } from '../models/multitask-model.js';
import { EncDecRNNTBPEModel } from '../models/rnnt-model.js';
import type { SpeechModel } from '../models/speech-model.js';

export interface Stages {
  /**
   * `processed_signal` [1,F,T] (padded as in NeMo) and `processed_signal_length`; `encoder.pre_encode` and `encoder.layers.N`
   * [1,T',d]; `encoder.outputs` [1,d,T'] and `encoder.encoded_lengths`; `prompt_kernel.outputs`
   * [1,T',d] of a hybrid with prompts; of a transducer `decoder.outputs`
   * [1,H,U+1], `joint.outputs` [1,T',U+1,K] (log-probabilities) and `loss.rnnt`; of a CTC branch
   * `decoder.logprobs` or `ctc_decoder.logprobs` [1,T',V+1] and `loss.ctc`; of a multitask model `encoder_states`
   * [1,T',D] (what the decoder looks at), `transf_decoder.outputs` [1,U,D] and `log_softmax.outputs` [1,U,V] of prompt
   * and text, and `loss.cross_entropy`.
   */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** The text that prediction network and losses were given. */
  readonly text: string;
  /** What would be too large, and how large: one sentence each. */
  readonly leftOut: readonly string[];
}

/** What it takes to leave a stage out. */
interface Bound {
  readonly mostNumbers: number;
  readonly leftOut: Set<string>;
}

/**
 * @param samples mono, at the model's sample rate
 * @param text reference of the recording; default: what the model recognises
 * @param mostNumbers a stage with more is left out; default: 1 GiB of float32
 * @param lang of the text, which tokenizers of several languages and prompts need
 * @throws AnemoneError `text.language-needed`, `audio.too-short`
 */
export async function stagesOf(
  model: SpeechModel,
  engine: Engine,
  samples: Float32Array,
  text?: string,
  lang?: string,
  mostNumbers = 2 ** 28,
): Promise<Stages> {
  // With the padding that NeMo gives a batch of one: stages without masks see it.
  const { features, lengths, shape } = model.preprocessor.frontEnd.computeBatch([samples]);
  if (lengths[0] === 0) {
    throw new AnemoneError({
      code: 'audio.too-short',
      message: `${samples.length} samples give no frame of features`,
    });
  }
  const prompt =
    lang !== undefined && model.takesPrompt ? { source_lang: lang, target_lang: lang } : undefined;
  const found = text === undefined ? (await model.transcribe([samples], { engine, prompt }))[0] : undefined;
  const said = text ?? found?.text ?? '';
  const int = (...values: number[]): HostTensor => ({
    dtype: 'int32',
    shape: [values.length],
    data: Int32Array.from(values),
  });
  const inputs: HostTensors = {
    signal: { dtype: 'float32', shape: [...shape], data: features },
    featureLengths: int(lengths[0]),
    ...model.labelInputs(said, { lang, tokens: found?.tokens.map(({ id }) => id) }),
  };
  const leftOut = new Set<string>();
  const program = engine.compile('inspect', ({ signal, ...rest }) =>
    computeStages(
      model,
      { ...rest, signal, features: tf.transpose(signal, [0, 2, 1]) },
      { mostNumbers, leftOut },
    ),
  );
  try {
    const outputs = await program.run(inputs);
    const order = (name: string) => ORDER.findIndex((pattern) => pattern.test(name));
    const named = Object.entries(outputs).sort(([a], [b]) => order(a) - order(b));
    return { tensors: new Map(named), text: said, leftOut: [...leftOut] };
  } finally {
    program.dispose();
  }
}

const ORDER = [
  /^processed/,
  /^encoder\.pre/,
  /^encoder\.layers/,
  /^encoder\./,
  /^prompt_kernel/,
  /^encoder_states/,
  /^transf_decoder/,
  /^log_softmax/,
  /^decoder\./,
  /^joint/,
  /^ctc/,
  /^/,
];

function computeStages(model: SpeechModel, inputs: Tensors, bound: Bound): Tensors {
  const out: Tensors = {};
  const pass: Pass = {
    training: false,
    tap: (path, x) => {
      if (/^encoder\.(pre_encode|layers\.\d+)$/.test(path)) out[path] = x;
      return x;
    },
  };
  const { features, featureLengths } = inputs;
  Object.assign(out, losses(model, inputs));
  out['processed_signal'] = tf.clone(inputs['signal']);
  out['processed_signal_length'] = tf.clone(featureLengths);
  const encoder = model.encoder.forward(features, featureLengths, pass);
  const { lengths } = encoder;
  out['encoder.outputs'] = tf.transpose(encoder.encoded, [0, 2, 1]);
  const hybrid = model instanceof EncDecHybridRNNTCTCBPEModel;
  const encoded = hybrid ? model.condition(encoder.encoded, inputs) : encoder.encoded;
  if (encoded !== encoder.encoded) out['prompt_kernel.outputs'] = tf.clone(encoded);
  out['encoder.encoded_lengths'] = tf.clone(lengths);
  if (model instanceof EncDecRNNTBPEModel) {
    Object.assign(out, transducerStages(model, inputs, encoded, bound));
  }
  if (model instanceof EncDecMultiTaskModel) Object.assign(out, attentionStages(model, inputs, encoder));
  const branch = ctcBranch(model);
  if (branch) {
    const [name, decoder] = branch;
    out[`${name}.logprobs`] = decoder.forward(encoded, evaluationPass);
  }
  return out;
}

/** By what a model trains with; a hybrid's two are apart. */
function losses(model: SpeechModel, inputs: Tensors): Tensors {
  const { loss, logs } = model.trainingStep(inputs, evaluationPass);
  if (logs?.['rnnt_loss']) {
    return { 'loss.rnnt': logs['rnnt_loss'], 'loss.ctc': logs['ctc_loss'] };
  }
  if (model instanceof EncDecMultiTaskModel) return { 'loss.cross_entropy': loss };
  return { [model instanceof EncDecCTCModelBPE ? 'loss.ctc' : 'loss.rnnt']: loss };
}

function ctcBranch(model: SpeechModel): readonly [string, ConvASRDecoder] | undefined {
  if (model instanceof EncDecHybridRNNTCTCBPEModel) return ['ctc_decoder', model.ctcDecoder];
  if (model instanceof EncDecCTCModelBPE) return ['decoder', model.decoder];
  return undefined;
}

function attentionStages(model: EncDecMultiTaskModel, { targets }: Tensors, encoded: Encoded): Tensors {
  const memory = model.bridge(encoded, evaluationPass);
  const [batch, width] = targets.shape;
  // The end token has nothing to predict.
  const tokens = tf.slice(targets, [0, 0], [batch, width - 1]);
  const lengths = tf.fill([batch], width - 1, 'int32') as Tensor;
  const hidden = model.decoder.forward(tokens, lengths, memory, evaluationPass);
  return {
    encoder_states: tf.clone(memory.states),
    'transf_decoder.outputs': hidden,
    'log_softmax.outputs': model.head.forward(hidden, evaluationPass),
  };
}

/** The joint of a long recording with many tokens can be larger than any memory; then it is not computed. */
function transducerStages(
  model: EncDecRNNTBPEModel,
  inputs: Tensors,
  encoded: Tensor,
  { mostNumbers, leftOut }: Bound,
): Tensors {
  const { joint, decoder } = model;
  const predicted = decoder.forward(inputs['targets'], evaluationPass);
  const outputs = tf.transpose(predicted, [0, 2, 1]);
  const [, frames] = encoded.shape as number[];
  const [, rows] = predicted.shape as number[];
  const numbers = frames * rows * joint.classes;
  if (numbers > mostNumbers) {
    leftOut.add(
      `joint.outputs [1,${frames},${rows},${joint.classes}] would take ${((numbers * 4) / 2 ** 30).toFixed(1)} GiB`,
    );
    return { 'decoder.outputs': outputs };
  }
  const logits = joint.logits(
    tf.expandDims(joint.projectEncoder(encoded), 2),
    tf.expandDims(joint.projectPrediction(predicted), 1),
  );
  return {
    'decoder.outputs': outputs,
    'joint.outputs': tf.logSoftmax(logits),
  };
}
