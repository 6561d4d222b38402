import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine, type Engine, OnnxEngine } from '../../src/engine/index.js';
import { createOptimizer, optimizerComponents } from '../../src/optim/index.js';
import { gradients, TwoParameters } from './two-parameters.js';

interface Run {
  name: string;
  optimizer?: string;
  args: Record<string, unknown>;
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
  const module = new TwoParameters();
  const name = run.optimizer ?? OPTIMIZER_OF[run.name] ?? run.name;
  const optimizer = createOptimizer({ name, ...run.args }, module.parameters());
  const program = engine.compile('update', ({ p, q, scalars }) => {
    optimizer.update([p, q], scalars);
    return {};
  });
  for (const [t, expected] of run.steps.entries()) {
    await program.run({ ...gradients(t), scalars: optimizer.scalars(t + 1, (lr) => lr) });
    for (const key of ['p', 'q'] as const) {
      const actual = await engine.read(module[key]);
      expected[key].forEach((value, i) => {
        expect(Math.abs(actual[i] - value), `${run.name} step ${t} ${key}[${i}]`).toBeLessThan(2e-6);
      });
    }
  }
  await engine.dispose();
}

describe.each(['optim_v1.json', 'optim_main.json', 'optim_torch.json'])('%s', (file) => {
  it.each(golden(file).map((run) => [run.name, run] as const))('%s', async (_name, run) => {
    await check(run, createReferenceEngine());
  });
});

describe('compiled by ONNX Runtime', () => {
  it.each(golden('optim_main.json').map((run) => [run.name, run] as const))('%s', async (_name, run) => {
    await check(run, new OnnxEngine({ threads: 1 }));
  });
});

describe('catalog', () => {
  it('has every optimizer of NeMo that needs no vendor library', () => {
    const names = 'adadelta adafactor adagrad adam adamax adamw adan lamb novograd rmsprop rprop sgd'.split(
      ' ',
    );
    expect(optimizerComponents.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  });

  it('has no two of one name', () => {
    const names = optimizerComponents.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
  });
});
