import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine, type Engine, float32, OnnxEngine, tf } from '../../src/engine/index.js';
import { Embedding, Module, zeros } from '../../src/nn/index.js';
import { createOptimizer, optimizerComponents } from '../../src/optim/index.js';
import { orthogonal } from '../../src/optim/rules/muon.js';
import { CounterRandom } from '../../src/random/index.js';
import { gradients, TwoParameters } from './two-parameters.js';

interface Run {
  name: string;
  optimizer?: string;
  args: Record<string, unknown>;
  tall?: boolean;
  steps: { p: number[]; q: number[] }[];
}

function golden(file: string): Run[] {
  const text = readFileSync(new URL(`../golden/${file}`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { runs: Run[] }).runs;
}

const OPTIMIZER_OF: Record<string, string> = {
  novograd_grad_averaging: 'novograd',
  novograd_luc: 'novograd',
  adafactor_relative: 'adafactor',
  adafactor_fixed_lr: 'adafactor',
  adamw_torch: 'adamw',
  adam_torch_l2: 'adam',
  sgd_momentum: 'sgd',
};

async function check(run: Run, engine: Engine): Promise<void> {
  const shape = run.tall ? [3, 2] : [2, 3];
  const module = new TwoParameters(shape);
  const name = run.optimizer ?? OPTIMIZER_OF[run.name] ?? run.name;
  const optimizer = createOptimizer({ name, ...run.args }, module.parameters());
  const program = engine.compile('update', ({ p, q, scalars }) => {
    optimizer.update([p, q], scalars);
    return {};
  });
  for (const [t, expected] of run.steps.entries()) {
    await program.run({ ...gradients(t, shape), scalars: optimizer.scalars(t + 1, (lr) => lr) });
    for (const key of ['p', 'q'] as const) {
      const actual = await engine.read(module[key]);
      expected[key].forEach((value, i) => {
        expect(Math.abs(actual[i] - value), `${run.name} step ${t} ${key}[${i}]`).toBeLessThan(2e-6);
      });
    }
  }
  await engine.dispose();
}

describe.each(['optim_v1.json', 'optim_main.json', 'optim_torch.json', 'optim_pypi.json'])('%s', (file) => {
  it.each(golden(file).map((run) => [run.name, run] as const))('%s', async (_name, run) => {
    await check(run, createReferenceEngine());
  });
});

describe('compiled by ONNX Runtime', () => {
  it.each(
    [...golden('optim_main.json'), ...golden('optim_pypi.json')].map((run) => [run.name, run] as const),
  )('%s', async (_name, run) => {
    await check(run, new OnnxEngine({ threads: 1 }));
  });
});

describe('catalog', () => {
  it('has every optimizer of NeMo that needs no vendor library', () => {
    const names =
      'adadelta adafactor adagrad adam adamax adamw adan lamb novograd rmsprop rprop sgd lion muon'.split(
        ' ',
      );
    expect(optimizerComponents.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  });

  it('has no two of one name', () => {
    const names = optimizerComponents.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('Muon', () => {
  const engine = createReferenceEngine();

  it('brings singular values near 1 and keeps the directions of a matrix, wide or tall', async () => {
    for (const [rows, columns] of [
      [4, 9],
      [9, 4],
      [6, 6],
    ]) {
      const random = new CounterRandom(7, rows);
      const data = Float32Array.from({ length: rows * columns }, (_, i) => random.normal(i));
      const program = engine.compile('orthogonal', ({ x }) => {
        const y = orthogonal(x, 5);
        const wide = rows > columns ? tf.transpose(y) : y;
        const from = rows > columns ? tf.transpose(x) : x;
        // Of x = USVᵀ, y·xᵀ is U S' S Uᵀ: symmetric where the directions are those of x.
        return { gram: tf.matMul(wide, wide, false, true), mixed: tf.matMul(wide, from, false, true) };
      });
      const { gram, mixed } = await program.run({ x: float32(data, [rows, columns]) });
      const side = Math.min(rows, columns);
      const at = (m: { data: ArrayLike<number> }, i: number, j: number): number => m.data[i * side + j];
      let trace = 0;
      for (let i = 0; i < side; i++) {
        trace += at(gram as never, i, i);
        for (let j = 0; j < i; j++) expect(at(mixed as never, i, j)).toBeCloseTo(at(mixed as never, j, i), 2);
      }
      expect(trace / side).toBeGreaterThan(0.5);
      expect(trace / side).toBeLessThan(1.5);
    }
  });

  it('leaves vectors, tables and what patterns name to AdamW', () => {
    class Parts extends Module {
      readonly matrix = this.parameter('matrix', [2, 3], zeros);
      readonly vector = this.parameter('vector', [3], zeros);
      readonly words = this.child('words', new Embedding(4, 2));
      readonly head = this.parameter('head', [4, 2], zeros);
    }
    const optimizer = createOptimizer({ name: 'muon', adamw: ['head'] }, new Parts().parameters());
    expect(optimizer.slots.map(({ name }) => name)).toEqual([
      'momentum_buffer/matrix',
      'exp_avg/vector',
      'exp_avg_sq/vector',
      'exp_avg/words.weight',
      'exp_avg_sq/words.weight',
      'exp_avg/head',
      'exp_avg_sq/head',
    ]);
  });
});
