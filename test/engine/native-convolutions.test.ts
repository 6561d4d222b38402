// Convolutions by the operators of native/: depthwise ones and their gradients against sums in double precision, others against the
// bits of ONNX Runtime's.
import { afterAll, describe, expect, it } from 'vitest';
import { registerGradients } from '../../src/engine/autodiff/index.js';
import {
  type Engine,
  float32,
  type HostTensor,
  inLowPrecision,
  OnnxEngine,
  State,
  type Tensors,
  tf,
  valueAndGrads,
  withChannelsLast,
} from '../../src/engine/index.js';
import { BY_PLAN } from '../../src/engine/onnx/buffer-plan.js';
import { flopsOf } from '../../src/engine/onnx/flops.js';
import { peakOf } from '../../src/engine/onnx/peak.js';
import { NO_LIMITS } from '../../src/engine/onnx/provider-limits.js';
import { trace } from '../../src/engine/onnx/trace.js';
import { ValueSizes } from '../../src/engine/onnx/value-sizes.js';
import { CounterRandom } from '../../src/random/index.js';
import { skipUnlessBuilt } from './native-library.js';
import { byWay } from './ways.js';

interface Geometry {
  readonly image: readonly [n: number, h: number, w: number, c: number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Top, bottom, left, right. */
  readonly pad: readonly [number, number, number, number];
}

const convolve = (g: Geometry, x: tf.Tensor, filter: tf.Tensor) => {
  const [top, bottom, left, right] = g.pad;
  return tf.depthwiseConv2d(x as tf.Tensor4D, filter as tf.Tensor4D, [...g.stride], [[0, 0], [top, bottom], [left, right], [0, 0]], 'NHWC', [...g.dilation]); // biome-ignore format: one line reads better
};

/** y, and the gradients of its product with `dy`. */
function program(g: Geometry, filter: State, shift: State) {
  return ({ x, dy }: Tensors): Tensors => {
    let y = x;
    const loss = () => {
      y = tf.add(convolve(g, tf.add(x, shift.tensor()), filter.tensor()), 0);
      return tf.sum(tf.mul(y, dy));
    };
    const { grads } = valueAndGrads(loss, [filter, shift]);
    return { y: convolve(g, tf.add(x, shift.tensor()), filter.tensor()), filter: grads[0], image: grads[1] };
  };
}

function outputSize({ image, kernel, stride, dilation, pad }: Geometry): [number, number] {
  const along = (axis: 0 | 1, padding: number) =>
    Math.floor((image[1 + axis] + padding - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
  return [along(0, pad[0] + pad[1]), along(1, pad[2] + pad[3])];
}

/** Sums in double precision, and those of the same numbers without their signs. */
class Sums {
  readonly values: Float64Array;
  readonly magnitudes: Float64Array;

  constructor(size: number) {
    this.values = new Float64Array(size);
    this.magnitudes = new Float64Array(size);
  }

  add(at: number, value: number): void {
    this.values[at] += value;
    this.magnitudes[at] += Math.abs(value);
  }
}

/** All three, by a loop over every product. */
function expected(g: Geometry, x: HostTensor, filter: Float32Array, dy: HostTensor) {
  const [n, h, w, c] = g.image;
  const [oh, ow] = outputSize(g);
  const out = {
    y: new Sums(n * oh * ow * c),
    image: new Sums(n * h * w * c),
    filter: new Sums(filter.length),
  };
  for (let b = 0; b < n; b++)
    for (let o = 0; o < oh; o++)
      for (let p = 0; p < ow; p++)
        for (let i = 0; i < g.kernel[0]; i++)
          for (let j = 0; j < g.kernel[1]; j++) {
            const row = o * g.stride[0] - g.pad[0] + i * g.dilation[0];
            const column = p * g.stride[1] - g.pad[2] + j * g.dilation[1];
            if (row < 0 || row >= h || column < 0 || column >= w) continue;
            for (let k = 0; k < c; k++) {
              const [at, to] = [((b * h + row) * w + column) * c + k, ((b * oh + o) * ow + p) * c + k];
              const tap = (i * g.kernel[1] + j) * c + k;
              out.y.add(to, x.data[at] * filter[tap]);
              out.image.add(at, dy.data[to] * filter[tap]);
              out.filter.add(tap, x.data[at] * dy.data[to]);
            }
          }
  return out;
}

const numbers = (size: number, seed: number) =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * i + seed) * (1 + (i % 7)));
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

async function run(engine: Engine, g: Geometry) {
  const [n, h, w, c] = g.image;
  const [oh, ow] = outputSize(g);
  const weights = numbers(g.kernel[0] * g.kernel[1] * c, 2);
  const filter = new State('filter', [...g.kernel, c, 1], 'float32', () => weights);
  const shift = new State('shift', [n, h, w, c], 'float32', () => new Float32Array(n * h * w * c));
  const inputs = {
    x: float32(numbers(n * h * w * c, 1), [n, h, w, c]),
    dy: float32(numbers(n * oh * ow * c, 3), [n, oh, ow, c]),
  };
  const compiled = engine.compile('depthwise', program(g, filter, shift));
  const found = await compiled.run(inputs);
  compiled.dispose();
  engine.release([filter, shift]);
  return { found, wanted: expected(g, inputs.x, weights, inputs.dy) };
}

/** Largest difference, in units of what is added up without its signs. */
function difference(found: HostTensor, { values, magnitudes }: Sums): number {
  const largest = Math.max(...magnitudes) || 1;
  expect(found.data.length).toBe(values.length);
  return values.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0) / largest;
}

/** Kernels, strides, dilations and padding of all kinds; channels that fill no register and several. */
function randomGeometry(seed: number): Geometry {
  const random = new CounterRandom(seed);
  const pick = (at: number, least: number, most: number) => least + random.integer(at, most - least + 1);
  const kernel = [pick(0, 1, 4), pick(1, 1, 4)] as const;
  const dilation = [pick(2, 1, 2), pick(3, 1, 3)] as const;
  const stride = [pick(4, 1, 3), pick(5, 1, 3)] as const;
  const pad = [pick(6, 0, 2), pick(7, 0, 2), pick(8, 0, 2), pick(9, 0, 2)] as const;
  const least = (axis: 0 | 1) => dilation[axis] * (kernel[axis] - 1) + 1;
  const image = [pick(10, 1, 3), least(0) + pick(11, 0, 9), least(1) + pick(12, 0, 9), pick(13, 1, 70)] as const; // biome-ignore format: one line reads better
  // tfjs refuses strides and dilations together.
  return random.integer(14, 2) === 0
    ? { image, kernel, stride, dilation: [1, 1], pad }
    : { image, kernel, stride: [1, 1], dilation, pad };
}

const STRIDED: Geometry = { image: [3, 41, 20, 32], kernel: [3, 3], stride: [2, 2], dilation: [1, 1], pad: [1, 1, 1, 1] }; // biome-ignore format: one line reads better
const OVER_TIME: Geometry = { image: [2, 300, 1, 24], kernel: [31, 1], stride: [1, 1], dilation: [1, 1], pad: [15, 15, 0, 0] }; // biome-ignore format: one line reads better

describe('depthwise convolutions of native/', () => {
  skipUnlessBuilt();
  registerGradients();
  const engines = [1, 2].map((threads) => new OnnxEngine({ threads }));
  afterAll(() => Promise.all(engines.map((engine) => engine.dispose())));

  it.each([
    ['as in subsampling', STRIDED],
    ['over time', OVER_TIME],
    ...Array.from({ length: 60 }, (_, seed) => [`random, ${seed}`, randomGeometry(seed)] as const),
  ] as const)('are what the definition says: %s', async (_name, geometry) => {
    const { found, wanted } = await run(engines[1], geometry);
    for (const key of ['y', 'image', 'filter'] as const)
      expect(difference(found[key], wanted[key]), key).toBeLessThan(5e-7);
  });

  it('give the same bits for any number of threads', async () => {
    const results = await Promise.all(engines.map(async (engine) => (await run(engine, STRIDED)).found));
    for (const key of ['y', 'image', 'filter'])
      expect([...results[0][key].data]).toEqual([...results[1][key].data]);
  });
});

describe('nodes of a depthwise convolution', () => {
  registerGradients();
  const [oh, ow] = outputSize(STRIDED);
  const c = STRIDED.image[3];
  const [filter, bias] = [new State('filter', [3, 3, c, 1]), new State('bias', [c])];
  const traced = (
    depthwise: boolean,
    fn = program(STRIDED, new State('f', [3, 3, c, 1]), new State('s', STRIDED.image)), // biome-ignore format: one line reads better
  ) =>
    trace(
      fn,
      { x: { shape: STRIDED.image, dtype: 'float32' }, dy: { shape: [3, oh, ow, c], dtype: 'float32' } },
      { limits: { ...NO_LIMITS, convolutions: depthwise ? 'apart' : 'none' }, callsAreNodes: true },
    );
  const opsOf = (...of: Parameters<typeof traced>) =>
    traced(...of).segments.flatMap(({ nodes }) => nodes.map(({ op }) => op));
  const forward = ({ x }: Tensors) => tf.add(convolve(STRIDED, x, filter.tensor()), bias.tensor());

  it('are ours where they can be had, without a transpose beside them', () => {
    const ops = opsOf(true);
    for (const op of ['DepthwiseConv', 'DepthwiseConvInputGradient', 'DepthwiseConvFilterGradient'])
      expect(ops.filter((other) => other === op)).toHaveLength(1);
    expect(ops).not.toContain('Transpose');
    expect(opsOf(false)).toEqual(expect.arrayContaining(['Conv', 'ConvTranspose', 'Transpose']));
  });

  it('add the bias', () => {
    const nodes = traced(true, (inputs) => ({ y: forward(inputs) })).segments.flatMap(({ nodes }) => nodes);
    expect(nodes.map(({ op }) => op)).toEqual(['DepthwiseConv']);
    expect(nodes[0].inputs).toHaveLength(3);
  });

  it('are ONNX Runtime’s where products are computed in 16 bits, and where channels have several filters', () => {
    const low = (inputs: Tensors) => ({ y: inLowPrecision('bfloat16', () => forward(inputs)) });
    expect(opsOf(true, low)).toContain('Conv');
    const several = ({ x }: Tensors) => ({ y: convolve(STRIDED, x, tf.ones([3, 3, c, 2])) });
    expect(opsOf(true, several)).toContain('Conv');
  });

  it('count as many operations as ONNX Runtime’s', () => {
    const fn = (inputs: Tensors) => ({ y: forward(inputs) });
    expect(flopsOf(traced(true, fn))).toBe(2 * 9 * sizeOf([3, oh, ow, c]));
    expect(flopsOf(traced(true, fn))).toBe(flopsOf(traced(false, fn)));
  });
});

describe('a convolution of one channel', () => {
  it('is a product whose channels are last, where it is read so and there are such convolutions', () => {
    const shape = [2, 11, 8, 1];
    const fn = ({ x }: Tensors) => ({ y: withChannelsLast(() => tf.conv2d(x as tf.Tensor4D, tf.ones([3, 3, 1, 5]), 2, 'same')) }); // biome-ignore format: one line reads better
    const inputs = { x: { shape, dtype: 'float32' as const } };
    const opsOf = (depthwise: boolean) =>
      trace(fn, inputs, { limits: { ...NO_LIMITS, convolutions: depthwise ? 'apart' : 'none' }, callsAreNodes: true }).segments[0].nodes.map(({ op }) => op); // biome-ignore format: one line reads better
    expect(opsOf(true)).toContain('Gemm');
    expect(opsOf(true)).not.toContain('Transpose');
    expect(opsOf(false)).toContain('Conv');
  });

  it('has the bits of ONNX Runtime’s', async () => {
    const fn = ({ x, filter }: Tensors) => ({ y: withChannelsLast(() => tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 2, 'same')) }); // biome-ignore format: one line reads better
    const inputs = {
      x: float32(numbers(2 * 33 * 20, 1), [2, 33, 20, 1]),
      filter: float32(numbers(9 * 32, 2), [3, 3, 1, 32]),
    };
    const run = async () => {
      const engine = new OnnxEngine({ threads: 2 });
      const { y } = await engine.compile('one', fn).run(inputs);
      await engine.dispose();
      return [...y.data];
    };
    expect(await byWay('capi', run)).toEqual(await byWay('binding', run));
  });
});

describe('the gradient of a convolution’s image', () => {
  skipUnlessBuilt();
  registerGradients();

  interface Sizes {
    readonly image: readonly number[];
    readonly filter: readonly [number, number, number, number];
    readonly strides?: number | [number, number];
    readonly pad?: 'same' | 'valid' | tf.backend_util.ExplicitPadding;
    readonly dilations?: number | [number, number];
  }
  const CASES: readonly (readonly [name: string, Sizes])[] = [
    ['as in subsampling', { image: [10, 120, 40, 40], filter: [3, 3, 40, 24], strides: 2, pad: [[0, 0], [1, 1], [1, 1], [0, 0]] }],
    ['of uneven strides', { image: [5, 91, 50, 32], filter: [4, 3, 32, 20], strides: [3, 2], pad: 'valid' }],
    ['of padding on one side', { image: [2, 64, 40, 32], filter: [3, 5, 32, 9], strides: [1, 2], pad: [[0, 0], [2, 0], [0, 3], [0, 0]] }],
    ['of a stretched kernel', { image: [2, 70, 40, 32], filter: [3, 2, 32, 16], dilations: [2, 3], pad: 'same' }],
    ['over time', { image: [6, 700, 1, 80], filter: [7, 1, 80, 33], strides: [2, 1], pad: 'same' }],
    ['of whole images at once', { image: [50, 9, 9, 64], filter: [3, 3, 64, 12], pad: 'same' }],
  ]; // biome-ignore format: a table

  const statesOf = ({ image, filter }: Sizes): State[] => [
    new State('image', [...image], 'float32', () => numbers(sizeOf(image), 5)),
    new State('filter', [...filter], 'float32', () => numbers(sizeOf(filter), 2)),
  ];
  const directionOf = ({ image }: Sizes): { direction: HostTensor } => {
    const size = 4 * sizeOf(image);
    return { direction: float32(numbers(size, 3), [size]) };
  };

  const step =
    ({ strides = 1, pad = 'same', dilations = 1 }: Sizes, states: readonly State[]) =>
    ({ direction }: Tensors): Tensors => {
      const loss = () => {
        const [image, filter] = states.map((state) => state.tensor() as tf.Tensor4D);
        const y = tf.conv2d(image, filter, strides, pad, 'NHWC', dilations);
        return tf.sum(tf.mul(y, tf.reshape(tf.slice(direction, [0], [y.size]), y.shape)));
      };
      const [image, filter] = valueAndGrads(loss, states).grads;
      return { image, filter };
    };

  const run = async (sizes: Sizes, engine = new OnnxEngine({ threads: 2 })): Promise<Buffer[]> => {
    const { image, filter } = await engine.compile('step', step(sizes, statesOf(sizes))).run(directionOf(sizes)); // biome-ignore format: one line reads better
    await engine.dispose();
    return [image, filter].map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  };

  const traced = (sizes: Sizes, convolutions: 'all' | 'apart') =>
    trace(step(sizes, statesOf(sizes)), directionOf(sizes), {
      limits: { ...NO_LIMITS, convolutions },
      callsAreNodes: true,
    });
  const opsOf = (...of: Parameters<typeof traced>) => traced(...of).segments[0].nodes.map(({ op }) => op);

  it.each(CASES)('has the bits of ONNX Runtime’s, as has the filter’s: %s', async (_name, sizes) => {
    expect(opsOf(sizes, 'all')).toEqual(expect.arrayContaining(['ColumnsToImage', 'ImageToTap']));
    const [ours, others] = [await byWay('capi', () => run(sizes)), await byWay('binding', () => run(sizes))];
    expect(ours.map((bytes, i) => bytes.equals(others[i]))).toEqual([true, true]);
  });

  it('is the same where nothing may be written over, and is ONNX Runtime’s there', async () => {
    const [[, sizes]] = CASES;
    const [planned, apart] = await Promise.all(
      [true, false].map((plannedMemory) => run(sizes, new OnnxEngine({ threads: 2, plannedMemory }))),
    );
    expect(planned.map((bytes, i) => bytes.equals(apart[i]))).toEqual([true, true]);
    expect(opsOf(sizes, 'apart')).toContain('ConvTranspose');
  });

  it('has columns of one part at a time in memory', () => {
    const [[, sizes]] = CASES;
    const { segments, shapes } = traced(sizes, 'all');
    const parts = segments[0].nodes.filter(({ op }) => op === 'ColumnsToImage');
    expect(parts.length).toBeGreaterThan(3);
    const largest = Math.max(...parts.map(({ inputs }) => 4 * sizeOf(shapes.get(inputs[0])?.shape ?? [])));
    expect(largest).toBeLessThanOrEqual(4 * 2 ** 20);
    const { values } = peakOf(segments[0], new ValueSizes(shapes), BY_PLAN);
    expect(values.filter(({ node }) => node.op === 'Gemm').length).toBeLessThanOrEqual(1);
  });
});
