// Command: a model, data and parts of your own in one Trainer: a line through points, y = 3x - 1.
//   npx tsx examples/own-parts/line.ts [folder of the run]

import { batchesOf } from '../../src/data/index.js';
import { float32, type Program, type Tensors } from '../../src/engine/index.js';
import {
  AnemoneError,
  createDefaultContainer,
  createEngine,
  type Engine,
  expManager,
  type Tensor,
  Trainer,
  tf,
} from '../../src/index.js';
import type { Batch, BatchSource, Evaluator, StepOutput, TrainableModel } from '../../src/model/index.js';
import { Module, type Parameter, zeros } from '../../src/nn/index.js';
import { goodEnough, plainLogger } from './parts.js';

class Line extends Module {
  private readonly slope: Parameter = this.parameter('slope', [1], zeros);
  private readonly offset: Parameter = this.parameter('offset', [1], zeros);

  forward(x: Tensor): Tensor {
    return tf.add(tf.mul(x, this.slope.tensor()), this.offset.tensor());
  }
}

class LineModel implements TrainableModel {
  readonly module = new Line();
  readonly config = { optim: { name: 'adam', lr: 0.1 } };
  private program: Program | undefined;

  /** inputs x, y [B] */
  trainingStep({ x, y }: Tensors): StepOutput {
    return { loss: tf.losses.meanSquaredError(y, this.module.forward(x)) as Tensor };
  }

  evaluator(engine: Engine): Evaluator {
    this.program ??= engine.compile('loss', (inputs) => ({ loss: this.trainingStep(inputs).loss }));
    const { program } = this;
    let sum = 0;
    let batches = 0;
    return {
      add: async (batch: Batch) => {
        sum += (await program.run(batch.inputs))['loss'].data[0];
        batches++;
      },
      summary: () => ({ metrics: { loss: sum / batches }, samples: [] }),
    };
  }

  async trainingSource(): Promise<undefined> {
    return undefined;
  }

  async validationSources(): Promise<readonly BatchSource[]> {
    return [];
  }

  async testSources(): Promise<readonly BatchSource[]> {
    return [];
  }

  async artifacts(): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map();
  }
}

const points = Array.from({ length: 64 }, (_, i) => ({ x: i / 32 - 1, y: 3 * (i / 32 - 1) - 1 }));
const source = (name: string, shuffle: boolean) =>
  batchesOf(points, {
    name,
    batchSize: 16,
    shuffle,
    names: { example: 'points', unit: 'points' },
    collate: (batch) => ({
      x: float32(
        batch.map(({ x }) => x),
        [batch.length],
      ),
      y: float32(
        batch.map(({ y }) => y),
        [batch.length],
      ),
    }),
  });

const [folder] = process.argv.slice(2);
const container = createDefaultContainer().registerAll([goodEnough, plainLogger]);
const engine = createEngine({ name: 'onnxruntime' });
const trainer = new Trainer(
  {
    max_epochs: 200,
    log_every_n_steps: 10,
    callbacks: [{ _target_: 'GoodEnough', metric: 'val/loss', limit: 1e-3 }],
  },
  { container, engine },
);
try {
  if (folder) {
    await expManager(trainer, {
      explicit_log_dir: folder,
      create_checkpoint_callback: false,
      loggers: [{ _target_: 'PlainLogger' }],
    });
  }
  const model = new LineModel();
  const { outcome, metrics } = await trainer.fit(model, {
    train: source('points', true),
    validation: source('held-out points', false),
  });
  const [slope, offset] = await Promise.all([...model.module.parameters()].map((p) => engine.read(p)));
  console.log(
    `${outcome.reason}; y = ${slope[0].toFixed(2)} x + ${offset[0].toFixed(2)}; loss ${metrics['val/loss']}`,
  );
} catch (error) {
  if (!(error instanceof AnemoneError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
} finally {
  await trainer.dispose();
  await engine.dispose();
}
