// Runs a model with an attention decoder on batches: one program for the encoder (and the loss), then a search.
import {
  type Engine,
  type HostTensors,
  type Program,
  type Tensor,
  type Tensors,
  tf,
} from '../../engine/index.js';
import type { AttentionSearch } from '../../generation/index.js';
import type { StepOutput } from '../../model/index.js';
import { lossOutputs, lossResults } from './evaluation-losses.js';
import type { Recognition, Recognizer } from './recognizer.js';
import { encoderInputs } from './speech-inputs.js';

interface Memory {
  readonly states: Tensor;
  readonly lengths: Tensor;
}

export interface MultiTaskRecognizerOptions {
  readonly search: AttentionSearch;
  readonly memory: (inputs: Tensors) => Memory;
  /** Loss of a batch, given what `memory` made of it. */
  readonly loss: (memory: Memory, inputs: Tensors) => StepOutput;
}

export class MultiTaskRecognizer implements Recognizer {
  private readonly encode: Program;
  private readonly evaluate: Program;
  private readonly search: AttentionSearch;

  constructor(engine: Engine, { search, memory, loss }: MultiTaskRecognizerOptions) {
    this.search = search;
    const outputs = ({ states, lengths }: Memory) => ({ states, lengths: tf.clone(lengths) });
    this.encode = engine.compile('multitask-encode', (inputs) => outputs(memory(inputs)));
    this.evaluate = engine.compile('multitask-evaluate', (inputs) => {
      const encoderMemory = memory(inputs);
      return { ...outputs(encoderMemory), ...lossOutputs(loss(encoderMemory, inputs)) };
    });
  }

  /** `inputs.targets` begin with the prompts, of `inputs.promptLengths` tokens. */
  async recognize(inputs: HostTensors, withLoss: boolean): Promise<Recognition> {
    const { targets, promptLengths } = inputs;
    const out = withLoss ? await this.evaluate.run(inputs) : await this.encode.run(encoderInputs(inputs));
    const { states, lengths } = out;
    const width = targets.shape[1];
    const prompts = Array.from(promptLengths.data, (length, row) =>
      Array.from(targets.data.subarray(row * width, row * width + length)),
    );
    const hypotheses = await this.search.decode(
      { data: states.data as Float32Array, shape: states.shape, lengths: lengths.data },
      prompts,
    );
    return { hypotheses, ...(withLoss && lossResults(out)) };
  }
}
