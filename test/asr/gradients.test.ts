// The gradients of every model family are the slopes of its loss: for each parameter tensor the loss is computed a little
// way to both sides. The engine's own gradients are told nothing by this, so a wrong rule that all engines share is seen.
import { describe, expect, it } from 'vitest';
import { type Engine, OnnxEngine, valueAndGrads } from '../../src/engine/index.js';
import { type Parameter, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { families, SMALL } from './families.js';

/**
 * The loss is summed in single precision: it is off by this share at most. (2^-24 is half a unit in the last place; the
 * lattices of these sizes add some tens of terms.)
 */
const LOSS_ERROR = 2e-6;
/** A way on which the loss changes by this share: a thousand times the error above, so that few in 1000 are noise. */
const CHANGE = 2e-3;
/** No longer way than this share of the tensor's own length, or of 1: the loss must still be nearly a parabola. */
const LONGEST = 0.05;
/** What higher derivatives may add, and a ReLU that changes sides. */
const BEND = 0.03;

const norm = (values: ArrayLike<number>) => Math.sqrt(dot(values, values));
function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** A direction of length 1: half the gradient's, for a large slope, half random, for one that the gradient denies. */
function directionFor(gradient: ArrayLike<number>, random: CounterRandom): Float64Array {
  const drawn = Float64Array.from({ length: gradient.length }, (_, i) => random.normal(i));
  const [length, drawnLength] = [norm(gradient) || 1, norm(drawn)];
  const sum = drawn.map((v, i) => v / drawnLength + gradient[i] / length);
  const sumLength = norm(sum);
  return sum.map((v) => v / sumLength);
}

interface Slope {
  readonly name: string;
  readonly claimed: number;
  readonly measured: number;
  readonly allowed: number;
}

async function slopesOf(family: (typeof families)[number], engine: Engine): Promise<Slope[]> {
  const { model, inputs } = await family.make(engine, SMALL);
  const parameters = [...model.parameters()].filter((parameter) => parameter.trainable);
  const options = { random: new CounterRandom(1), commitIf: () => false };
  const both = engine.compile('both', (tensors) => {
    const { value, grads } = valueAndGrads(() => model.trainingStep(tensors, trainingPass).loss, parameters);
    return { loss: value, ...Object.fromEntries(grads.map((grad, i) => [`g${i}`, grad])) };
  });
  const only = engine.compile('only', (tensors) => ({
    loss: model.trainingStep(tensors, trainingPass).loss,
  }));
  const out = await both.run(inputs, options);
  const loss = out['loss'].data[0];
  const lossAt = async (parameter: Parameter, values: Float32Array) => {
    await engine.write(parameter, values);
    return (await only.run(inputs, options))['loss'].data[0];
  };
  const slopes: Slope[] = [];
  for (const [i, parameter] of parameters.entries()) {
    const gradient = out[`g${i}`].data;
    const at = Float32Array.from(await engine.read(parameter));
    const direction = directionFor(gradient, new CounterRandom(7, parameter.name));
    const way = Math.min((CHANGE * loss) / (norm(gradient) || 1), LONGEST * Math.max(1, norm(at)));
    const slopeOver = async (step: number) => {
      const up = await lossAt(parameter, at.map((v, k) => v + step * direction[k])); // biome-ignore format: short
      const down = await lossAt(parameter, at.map((v, k) => v - step * direction[k])); // biome-ignore format: short
      return (up - down) / (2 * step);
    };
    // Richardson: what the third derivative adds is four times as much on twice the way.
    const measured = (4 * (await slopeOver(way / 2)) - (await slopeOver(way))) / 3;
    await engine.write(parameter, at);
    const claimed = dot(gradient, direction);
    const allowed = BEND * Math.abs(claimed) + (3 * LOSS_ERROR * loss) / way;
    slopes.push({ name: parameter.name, claimed, measured, allowed });
  }
  return slopes;
}

describe('gradients are slopes of the loss', () => {
  it.each(families)('$name', async (family) => {
    const engine = new OnnxEngine({ threads: 1 });
    const slopes = await slopesOf(family, engine);
    await engine.dispose();
    expect(slopes.filter(({ claimed, measured, allowed }) => !(Math.abs(measured - claimed) <= allowed))).toEqual([]); // biome-ignore format: short
    // The check means something: most slopes are far above what is allowed.
    const seen = slopes.filter(({ claimed, allowed }) => Math.abs(claimed) > 10 * allowed);
    expect(seen.length).toBeGreaterThan(slopes.length / 2);
  });
});
