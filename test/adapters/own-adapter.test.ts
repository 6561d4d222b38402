// Adapters of the user's own: run where they stand, or refused, but never passed over.
import { describe, expect, it } from 'vitest';
import { Adapter, AdapterSlot, FeatureAdapter } from '../../src/adapters/index.js';
import { createReferenceEngine, float32, type Tensor, tf } from '../../src/engine/index.js';
import { evaluationPass, type Pass } from '../../src/nn/index.js';

const plain = { stochastic_depth: 0, l2_lambda: 0 };

class Shift extends FeatureAdapter {
  override forward(x: Tensor, pass: Pass): Tensor {
    return this.join(x, tf.onesLike(x), pass);
  }
}

class Nowhere extends Adapter {}

describe('an adapter of the user', () => {
  it('changes what passes through its slot while it is enabled', async () => {
    const engine = createReferenceEngine();
    const slot = new AdapterSlot({ width: 2 });
    slot.add('shift', new Shift(plain));
    const program = engine.compile('slot', ({ x }) => ({ y: slot.forward(x, evaluationPass) }));
    const x = float32([1, 2], [1, 2]);
    expect(slot.active).toBe(true);
    expect(Array.from((await program.run({ x }))['y'].data)).toEqual([2, 3]);
    slot.enable('shift', false);
    expect(slot.active).toBe(false);
    expect(Array.from((await program.run({ x }))['y'].data)).toEqual([1, 2]);
  });

  it('is refused where nothing would run it', () => {
    const slot = new AdapterSlot({ width: 2 });
    expect(() => slot.add('nowhere', new Nowhere(plain))).toThrow(
      /Nowhere is no adapter that this place runs.*FeatureAdapter/,
    );
  });
});
