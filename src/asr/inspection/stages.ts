// What inspection reads out of a model.
import { type Engine, type HostTensor, type HostTensors, type Tensors, tf } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import { evaluationPass, type Pass } from '../../nn/index.js';
import type { StageBound } from '../models/model-family.js';
import type { SpeechModel } from '../models/speech-model.js';

/**
 * What every stage of a model makes of one recording, under the names and in the layouts of NeMo's ports, so that
 * two implementations, or two states of one model, can be compared number by number.
 */
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

/**
 * Runs the model on one recording and gives what each of its stages makes of it.
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
  const transcript =
    text === undefined ? (await model.transcribe([samples], { engine, prompt }))[0] : undefined;
  const saidText = text ?? transcript?.text ?? '';
  const int = (...values: number[]): HostTensor => ({
    dtype: 'int32',
    shape: [values.length],
    data: Int32Array.from(values),
  });
  const inputs: HostTensors = {
    signal: { dtype: 'float32', shape: [...shape], data: features },
    featureLengths: int(lengths[0]),
    ...model.labelInputs(saidText, { lang, tokens: transcript?.tokens.map(({ id }) => id) }),
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
    return { tensors: new Map(Object.entries(outputs)), text: saidText, leftOut: [...leftOut] };
  } finally {
    program.dispose();
  }
}

/** In the order of the network. */
function computeStages(model: SpeechModel, inputs: Tensors, bound: StageBound): Tensors {
  const layers: Tensors = {};
  const pass: Pass = {
    training: false,
    tap: (path, x) => {
      if (/^encoder\.(pre_encode|layers\.\d+)$/.test(path)) layers[path] = x;
      return x;
    },
  };
  const { signal, features, featureLengths } = inputs;
  const losses = model.family.lossStages(model.trainingStep(inputs, evaluationPass));
  const encoder = model.encoder.forward(features, featureLengths, pass);
  const behind = model.family.stages(model, encoder, inputs, bound);
  return {
    processed_signal: tf.clone(signal),
    processed_signal_length: tf.clone(featureLengths),
    ...layers,
    'encoder.outputs': tf.transpose(encoder.encoded, [0, 2, 1]),
    'encoder.encoded_lengths': tf.clone(encoder.lengths),
    ...behind,
    ...losses,
  };
}
