// Perplexity and bits per byte over evaluation sets. The latter does not depend on how a tokenizer cuts a text.
import type { TextBatch } from '../data/index.js';
import type { Engine, Program, Tensors } from '../engine/index.js';
import { tf } from '../engine/index.js';
import type { Batch, EvaluationSummary, Evaluator, StepOutput } from '../model/index.js';
import { evaluationPass, type Pass } from '../nn/index.js';
import type { LanguageNetwork } from './network.js';

/** Compiles what an evaluator runs on each batch: Σ of the losses of all targets. */
export function lossProgram(network: LanguageNetwork, engine: Engine): Program {
  return engine.compile('language-loss', ({ tokens, labels, lossMask, positions, documents }) => {
    const losses = network.tokenLosses({ tokens, positions, documents }, labels, evaluationPass);
    return { total: tf.sum(tf.mul(losses, lossMask)) };
  });
}

/** The mean loss of the targets. inputs: `tokens` and `labels` int32 [B,T], `lossMask` [B,T]. */
export function meanLoss(network: LanguageNetwork, inputs: Tensors, pass: Pass): StepOutput {
  const { tokens, labels, lossMask, positions, documents } = inputs;
  const total = tf.sum(lossMask);
  const sum = network.loss({ tokens, positions, documents }, labels, lossMask, pass);
  return { loss: tf.div(sum, tf.maximum(total, tf.scalar(1))), weight: total };
}

/** Evaluators of a network, whose program is compiled once for an engine. */
export class PerplexityEvaluators {
  private programs = new WeakMap<Engine, Program>();

  constructor(private readonly network: LanguageNetwork) {}

  on(engine: Engine): PerplexityEvaluator {
    let program = this.programs.get(engine);
    if (!program) {
      program = lossProgram(this.network, engine);
      this.programs.set(engine, program);
    }
    return new PerplexityEvaluator(program);
  }

  /** Call when the network computes another way from now on. */
  forget(): void {
    this.programs = new WeakMap();
  }
}

/** Loss in nats a token, perplexity, and bits per byte of text, over all targets of a set. */
export class PerplexityEvaluator implements Evaluator {
  private nats = 0;
  private targets = 0;
  private bytes = 0;

  constructor(private readonly program: Program) {}

  async add(batch: Batch): Promise<void> {
    const { total } = await this.program.run(batch.inputs);
    this.nats += total.data[0];
    this.targets += batch.units;
    this.bytes += (batch as TextBatch).bytes ?? 0;
  }

  summary(): EvaluationSummary {
    const loss = this.nats / Math.max(this.targets, 1);
    const bits = this.nats / Math.LN2;
    const metrics = { loss, perplexity: Math.exp(loss) };
    return {
      metrics: this.bytes > 0 ? { ...metrics, bits_per_byte: bits / this.bytes } : metrics,
      samples: [],
    };
  }
}
