// Numbers that an optimizer or a schedule cannot mean are told with their line.
import { describe, expect, it } from 'vitest';
import { type ConfigNode, configFromText, withPosition } from '../../src/config/index.js';
import { createOptimizer, createScheduler } from '../../src/optim/index.js';
import { TwoParameters } from './two-parameters.js';

function refusal(yaml: string): string {
  const optim = configFromText(yaml, [], { file: 'a.yaml' });
  try {
    createOptimizer(optim, new TwoParameters().parameters());
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('the numbers of an optimizer', () => {
  it.each([
    ['name: adamw\nbetas: [1, 2]', 'betas: expected a list of 2 numbers ≥ 0 and < 1'],
    ['name: adamw\nbetas: [0.9, -0.1]', '-0.1 is not one'],
    ['name: adamw\nbetas: [0.9, .nan]', 'NaN is not one'],
    ['name: adan\nbetas: [0.9, 0.9, 1]', 'betas: expected a list of 3 numbers ≥ 0 and < 1'],
    ['name: novograd\nbetas: [0.95, 1.0]', '1 is not one'],
    ['name: adam\nlr: .inf', 'lr: expected a number'],
    ['name: adam\nlr: .nan', 'lr: expected a number'],
    ['name: adam\nlr: -1', 'lr: expected a number ≥ 0'],
    ['name: adadelta\nrho: 1.5', 'rho: expected a number ≥ 0 and ≤ 1'],
    ['name: rmsprop\nalpha: 2', 'alpha: expected a number ≥ 0 and ≤ 1'],
    ['name: rprop\netas: [2, 1.2]', 'etas: expected a factor between 0 and 1'],
    ['name: rprop\nstep_sizes: [1, 0.1]', 'step_sizes: 1 is above 0.1'],
    ['name: sgd\nnesterov: true', 'nesterov: needs momentum'],
    ['name: adafactor\ndecay_rate: 0.8', 'decay_rate: expected a number ≤ 0'],
    ['name: adafactor\nbeta1: 1', 'beta1: expected a number ≥ 0 and < 1'],
  ])('%j', (yaml, message) => {
    expect(refusal(yaml)).toContain('a.yaml:2');
    expect(refusal(yaml)).toContain(message);
  });
});

describe('the numbers of a parameter group', () => {
  it.each(['abc', '-1', '.nan', '.inf'])('lr_scale: %s', (scale) => {
    const groups = configFromText(`p: {lr_scale: ${scale}}`, [], { file: 'a.yaml' });
    const make = () =>
      createOptimizer({ name: 'adam' }, new TwoParameters().parameters(), { p: groups['p'] as ConfigNode });
    expect(make).toThrow(/a\.yaml:1.*lr_scale: expected a number ≥ 0/);
  });
});

describe('the numbers of a schedule', () => {
  it.each([
    ['name: CosineAnnealing\nmax_steps: 0', 'max_steps: expected a number ≥ 1'],
    ['name: ReduceLROnPlateau\nfactor: 1', 'factor: expected a number ≥ 0 and < 1'],
    ['name: PolynomialDecayAnnealing\npower: -1', 'power: expected a number ≥ 0'],
    ['name: NoamAnnealing\nd_model: 512', 'NoamAnnealing needs a warm-up'],
  ])('%j', (yaml, message) => {
    const sched = configFromText(yaml, [], { file: 'a.yaml' });
    const make = () => withPosition(sched, () => createScheduler(sched, 10));
    expect(make).toThrow(/a\.yaml/);
    expect(make).toThrow(message);
  });
});
