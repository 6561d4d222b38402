// A small regression network with dropout and a running buffer, and data made from a seed: everything a
// fit must carry over a restart, in milliseconds a step.
import {
  bernoulliMask,
  type Engine,
  float32,
  type Tensor,
  type Tensors,
  tf,
} from '../../src/engine/index.js';
import type { Batch, BatchSource, Evaluator, StepOutput, TrainableModel } from '../../src/model/index.js';
import {
  BatchNorm,
  evaluationPass,
  fanInUniform,
  Module,
  type Parameter,
  type Pass,
  type Buffer as StateBuffer,
  zeros,
} from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';

const FEATURES = 4;
const BATCH = 8;

export class ToyLayer extends Module {
  private readonly weight: Parameter;
  private readonly bias: Parameter;

  constructor(inputs: number, outputs: number) {
    super();
    this.weight = this.parameter('weight', [inputs, outputs], fanInUniform(inputs));
    this.bias = this.parameter('bias', [outputs], zeros);
  }

  forward(x: Tensor, pass: Pass): Tensor {
    return pass.tap(
      this.path,
      tf.add(tf.matMul(x as tf.Tensor2D, this.weight.tensor() as tf.Tensor2D), this.bias.tensor()),
    );
  }
}

export class ToyModule extends Module {
  readonly first: ToyLayer;
  readonly second: ToyLayer;
  private readonly seen: StateBuffer;
  private readonly norm: BatchNorm | undefined;

  constructor(hidden: number, normalises = false) {
    super();
    this.norm = normalises ? this.child('norm', new BatchNorm(hidden)) : undefined;
    this.first = this.child('first', new ToyLayer(FEATURES, hidden));
    this.second = this.child('second', new ToyLayer(hidden, 1));
    this.seen = this.buffer('running_mean', [FEATURES], () => new Float32Array(FEATURES), {
      running: { keeps: 0.9 },
    });
  }

  forward(x: Tensor, pass: Pass): Tensor {
    if (pass.training && !this.norm) {
      this.seen.assign(tf.add(tf.mul(this.seen.tensor(), 0.9), tf.mul(tf.mean(x, 0), 0.1)));
    }
    let hidden = tf.tanh(this.first.forward(x, pass));
    if (this.norm) return this.second.forward(this.norm.forward(hidden, pass), pass);
    if (pass.training)
      hidden = tf.mul(hidden, tf.div(tf.cast(bernoulliMask(hidden.shape, 0.9), 'float32'), 0.9));
    return this.second.forward(hidden, pass);
  }
}

export interface ToyOptions {
  /** Batch norm instead of dropout, and epochs of so many examples, which batches of `batch` divide. */
  readonly normalised?: { readonly examples: number; readonly batch: number };
  readonly hidden?: number;
  readonly batches?: number;
  readonly optim?: Readonly<Record<string, unknown>>;
  /** Index of a batch of epoch 0 whose input is replaced by this value. */
  readonly poison?: { readonly batch: number; readonly value: number };
  readonly validation?: boolean;
  /** Milliseconds a batch takes to make. */
  readonly delay?: number;
}

export class ToySource implements BatchSource {
  opened = 0;
  closed = 0;

  constructor(
    readonly name: string,
    private readonly options: ToyOptions,
  ) {}

  batchesInEpoch(): number {
    const { normalised } = this.options;
    if (normalised) return Math.ceil(normalised.examples / normalised.batch);
    return this.options.batches ?? 10;
  }

  async *epoch(epoch: number, from = 0): AsyncIterable<Batch> {
    this.opened++;
    try {
      for (let i = from; i < this.batchesInEpoch(); i++) {
        if (this.options.delay) await new Promise((resolve) => setTimeout(resolve, this.options.delay));
        yield this.batch(epoch, i);
      }
    } finally {
      this.closed++;
    }
  }

  batch(epoch: number, index: number): Batch {
    const { normalised } = this.options;
    if (normalised) {
      const first = index * normalised.batch;
      return this.examples(epoch, first, Math.min(normalised.batch, normalised.examples - first));
    }
    const random = new CounterRandom(7, this.name, epoch, index);
    const x = Float32Array.from({ length: BATCH * FEATURES }, (_, i) => random.normal(i));
    const y = Float32Array.from(
      { length: BATCH },
      (_, b) => Math.sin(x[b * FEATURES]) + 0.5 * x[b * FEATURES + 1],
    );
    const { poison } = this.options;
    if (poison && epoch === 0 && index === poison.batch) x[5] = poison.value;
    return {
      inputs: { x: float32(x, [BATCH, FEATURES]), y: float32(y, [BATCH, 1]) },
      size: BATCH,
      units: BATCH * 0.5,
      names: Array.from({ length: BATCH }, (_, b) => `${this.name}-${epoch}-${index}-${b}.wav`),
    };
  }

  /** The same, however they are put in batches. */
  private examples(epoch: number, first: number, size: number): Batch {
    const random = new CounterRandom(7, this.name, epoch);
    const x = Float32Array.from({ length: size * FEATURES }, (_, i) => random.normal(first * FEATURES + i));
    const y = Float32Array.from({ length: size }, (_, b) => Math.sin(x[b * FEATURES]));
    const names = Array.from({ length: size }, (_, b) => `${this.name}-${epoch}-${first + b}.wav`);
    return {
      inputs: { x: float32(x, [size, FEATURES]), y: float32(y, [size, 1]) },
      size,
      units: size * 0.5,
      names,
    };
  }

  gauges(): Readonly<Record<string, number>> {
    return {};
  }

  async close(): Promise<void> {}
}

export class ToyModel implements TrainableModel {
  readonly module: ToyModule;
  readonly config: Readonly<Record<string, unknown>>;
  readonly source: ToySource;

  constructor(readonly options: ToyOptions = {}) {
    this.module = new ToyModule(options.hidden ?? 6, options.normalised !== undefined);
    this.config = { target: 'toy', optim: options.optim ?? { name: 'adamw', lr: 0.01 } };
    this.source = new ToySource('toy', options);
  }

  async trainingSource(): Promise<BatchSource> {
    return this.source;
  }

  async validationSources(): Promise<readonly BatchSource[]> {
    return this.options.validation === false ? [] : [new ToySource('toy-dev', { batches: 2 })];
  }

  async testSources(): Promise<readonly BatchSource[]> {
    return [new ToySource('toy-test', { batches: 3 })];
  }

  trainingStep({ x, y }: Tensors, pass: Pass): StepOutput {
    const loss = tf.mean(tf.squaredDifference(this.module.forward(x, pass), y));
    return { loss, logs: { double: tf.mul(loss, 2) } };
  }

  evaluator(engine: Engine): Evaluator {
    const program = engine.compile('toy-evaluation', (inputs) => ({
      loss: this.trainingStep(inputs, evaluationPass).loss,
    }));
    let sum = 0;
    let count = 0;
    return {
      add: async (batch) => {
        sum += (await program.run(batch.inputs))['loss'].data[0];
        count++;
      },
      summary: () => {
        program.dispose();
        return {
          metrics: { loss: sum / count },
          samples: [{ name: 'a.wav', reference: 'one two three', hypothesis: 'one too three' }],
        };
      },
    };
  }

  async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map([['vocabulary.txt', Buffer.from('one\ntwo\n')]]);
  }
}
