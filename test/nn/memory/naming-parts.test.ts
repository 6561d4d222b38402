import { expect, it } from 'vitest';
import { OnnxEngine, type Tensor, tf, valueAndGrads } from '../../../src/engine/index.js';
import { Module, namingParts } from '../../../src/nn/index.js';
import { zeros } from '../../../src/nn/initializers.js';

const WIDTH = 64;

class Layer extends Module {
  private readonly weight = this.parameter('weight', [WIDTH, WIDTH], zeros);

  forward(x: Tensor): Tensor {
    return this.shaped(tf.matMul(x, this.weight.tensor()));
  }

  private shaped(x: Tensor): Tensor {
    return tf.exp(tf.sin(x));
  }
}

class Network extends Module {
  readonly layers = this.children('layers', [new Layer(), new Layer()]);

  forward(x: Tensor): Tensor {
    return this.layers.reduce((y, layer) => layer.forward(y), x);
  }
}

it('names the modules of what a step keeps, gradients included, and leaves no trace on them', async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const network = new Network();
  const program = engine.compile('step', ({ x }) =>
    namingParts(network, () => {
      const { value, grads } = valueAndGrads(() => tf.mean(network.forward(x)), [...network.parameters()]);
      return { loss: value, norm: tf.sum(tf.square(tf.concat(grads))) };
    }),
  );
  const memory = program.memory?.({ x: { dtype: 'float32', shape: [512, WIDTH] } });
  const value = 512 * WIDTH * 4;
  const alive = memory?.alive.filter(({ bytes }) => bytes >= value) ?? [];
  const names = alive.map(({ part, kind }) => `${part} ${kind}`);
  expect(names).toContain('layers.1 Sin');
  // Of the backward pass: the slope of a layer's sine is that layer's.
  expect(names.some((name) => /^layers\.[01] (Cos|Mul)$/.test(name))).toBe(true);
  expect(Object.keys(network).includes('forward')).toBe(false);
  expect(Object.getOwnPropertyNames(network.layers[0])).not.toContain('forward');
  await engine.dispose();
});

it('takes the covers off when the step fails', () => {
  const network = new Network();
  const fail = () =>
    namingParts(network, () => {
      throw new Error('no');
    });
  expect(fail).toThrow('no');
  expect(Object.getOwnPropertyNames(network)).not.toContain('forward');
});
