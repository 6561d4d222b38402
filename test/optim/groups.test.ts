import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engine/index.js';
import { createOptimizer, selectGroups } from '../../src/optim/index.js';
import { gradients, TwoParameters } from './two-parameters.js';

describe('parameter groups', () => {
  it('gives each parameter to the first entry that names it', () => {
    const { p, q } = new TwoParameters();
    const groups = selectGroups([p, q], { '*q': { lr: 1 } });
    expect(groups.map(({ name, parameters }) => [name, parameters.map((x) => x.name)])).toEqual([
      ['*q', ['q']],
      ['default', ['p']],
    ]);
  });

  it('refuses an entry that names nothing', () => {
    const { p, q } = new TwoParameters();
    expect(() => selectGroups([p, q], { encoder: {} })).toThrow(/optim_param_groups.encoder.*names no/);
  });

  it('updates with a rate and a decay of its own', async () => {
    const engine = createReferenceEngine();
    const module = new TwoParameters();
    const optimizer = createOptimizer({ name: 'sgd', lr: 0.1 }, module.parameters(), {
      q: { lr_scale: 0.5, weight_decay: 1 },
    });
    const program = engine.compile('update', ({ p, q, scalars }) => {
      optimizer.update([q, p], scalars);
      return {};
    });
    const { p, q } = gradients(0);
    const before = [...module.q.initialValue()];
    await program.run({ p, q, scalars: optimizer.scalars(1, (lr) => lr) });
    const after = await engine.read(module.q);
    before.forEach((x, i) => {
      expect(after[i]).toBeCloseTo(x - 0.05 * (q.data[i] + x), 6);
    });
    expect((await engine.read(module.p))[0]).toBeCloseTo(0.5 - 0.1 * p.data[0], 6);
  });

  it('leaves frozen parameters alone', () => {
    const module = new TwoParameters();
    module.q.trainable = false;
    expect(createOptimizer({ name: 'adam' }, module.parameters()).parameters).toEqual([module.p]);
  });

  it('names what is wrong with a setting', () => {
    const { p } = new TwoParameters();
    expect(() => createOptimizer({ name: 'adamm' }, [p])).toThrow(/did you mean "adam"/);
    expect(() => createOptimizer({ name: 'adam', beta: 1 }, [p])).toThrow(
      /^model.optim.beta: adam has no key .*betas/,
    );
    expect(() => createOptimizer({ name: 'adam', betas: 0.9 }, [p])).toThrow(
      /model.optim.betas: expected a list of 2 numbers/,
    );
  });
});
