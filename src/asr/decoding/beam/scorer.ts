// Answers the queries of searches: one program for the prediction network, one for the joint. Both run on as
// many rows as there are questions, rounded up to powers of two so that few shapes are compiled.
import { type Engine, type Program, type Tensors, tf } from '../../../engine/index.js';
import { HATJoint } from '../../decoders/hat-joint.js';
import { outputLayout } from '../../decoders/transducer-variant.js';
import { splitOutputs } from '../../decoders/variant-heads.js';
import type { ProjectedFrames, TransducerNetwork } from '../greedy-transducer.js';
import { Prefix } from './prefix.js';
import type { Query, Scores } from './search.js';

export interface ScorerOptions {
  /** Divides the logits. Default 1. */
  readonly temperature?: number;
  /** Also score tokens by the joint's own language model; needs a HATJoint. Default false. */
  readonly internalLm?: boolean;
}

/** A query of one of the utterances of a batch. */
export interface BatchQuery extends Query {
  readonly utterance: number;
}

/** Rows of one call; more are asked in several. */
const mostRows = 256;

export class TransducerScorer {
  private readonly predict: Program;
  private readonly score: Program;
  private readonly internalLm: boolean;

  constructor(
    engine: Engine,
    private readonly network: TransducerNetwork,
    options: ScorerOptions = {},
  ) {
    const { decoder, joint, variant } = network;
    const { temperature = 1, internalLm = false } = options;
    this.internalLm = internalLm && joint instanceof HATJoint;
    const predict = ({ last, state }: Tensors): Tensors => {
      const next = decoder.step(last, state);
      const prediction = joint.projectPrediction(next.output);
      const outputs: Tensors = { prediction, state: next.state };
      if (this.internalLm) outputs['own'] = (joint as HATJoint).internalLanguageModel(prediction);
      return outputs;
    };
    const score = ({ frames, predictions }: Tensors): Tensors => {
      const logits = joint.logits(frames, predictions);
      const scaled = temperature === 1 ? logits : tf.div(logits, tf.scalar(temperature));
      const { tokens, durations } = splitOutputs(scaled, variant, decoder.vocabulary);
      const outputs: Tensors = { tokens };
      if (durations) outputs['durations'] = durations;
      return outputs;
    };
    this.predict = engine.compile('beam-predict', predict, { constantStates: true });
    this.score = engine.compile('beam-score', score, { constantStates: true });
  }

  /** The empty sequence. */
  root(): Prefix {
    return Prefix.root(this.network.decoder.vocabulary);
  }

  async answer(queries: readonly BatchQuery[], input: ProjectedFrames): Promise<Scores[]> {
    await this.predictAll([...new Set(queries.map(({ prefix }) => prefix).filter((p) => !p.prediction))]);
    const { tokens: width, durations } = outputLayout(this.network.variant, this.network.decoder.vocabulary);
    const results: Scores[] = [];
    for (let from = 0; from < queries.length; from += mostRows) {
      const part = queries.slice(from, from + mostRows);
      const out = await this.scoreAll(part, input);
      part.forEach((_, i) => {
        results.push({
          tokens: (out['tokens'].data as Float32Array).slice(i * width, (i + 1) * width),
          durations: (out['durations']?.data as Float32Array | undefined)?.slice(
            i * durations,
            (i + 1) * durations,
          ),
        });
      });
    }
    return results;
  }

  private scoreAll(queries: readonly BatchQuery[], input: ProjectedFrames) {
    const [, total, width] = input.shape;
    const rows = rounded(queries.length);
    const frames = new Float32Array(rows * width);
    const predictions = new Float32Array(rows * width);
    queries.forEach(({ utterance, frame, prefix }, i) => {
      const at = (utterance * total + frame) * width;
      frames.set(input.data.subarray(at, at + width), i * width);
      predictions.set(prefix.prediction as Float32Array, i * width);
    });
    const shape = [rows, width];
    return this.score.run({
      frames: { dtype: 'float32', shape, data: frames },
      predictions: { dtype: 'float32', shape, data: predictions },
    });
  }

  /** Runs the prediction network for prefixes whose parents it has seen: a search asks in that order. */
  private async predictAll(prefixes: readonly Prefix[]): Promise<void> {
    const { decoder, joint } = this.network;
    const { stateSize, vocabulary } = decoder;
    const width = joint.config.jointnet.joint_hidden;
    for (let from = 0; from < prefixes.length; from += mostRows) {
      const part = prefixes.slice(from, from + mostRows);
      const rows = rounded(part.length);
      const last = new Int32Array(rows);
      const state = new Float32Array(rows * stateSize);
      part.forEach((prefix, i) => {
        last[i] = prefix.token;
        state.set(prefix.parent?.state ?? decoder.initialState(), i * stateSize);
      });
      const out = await this.predict.run({
        last: { dtype: 'int32', shape: [rows], data: last },
        state: { dtype: 'float32', shape: [rows, stateSize], data: state },
      });
      const row = (name: string, size: number, i: number): Float32Array =>
        (out[name].data as Float32Array).slice(i * size, (i + 1) * size);
      part.forEach((prefix, i) => {
        prefix.prediction = row('prediction', width, i);
        prefix.state = row('state', stateSize, i);
        if (this.internalLm) prefix.internalLm = row('own', vocabulary, i);
      });
    }
  }
}

function rounded(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
