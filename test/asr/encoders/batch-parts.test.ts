// Convolutions of the subsampling by parts of a batch: outputs of the whole batch bit for bit, gradients but for the order of
// their sums, in less memory.
import { afterAll, describe, expect, it } from 'vitest';
import { batchParts, inBatchParts } from '../../../src/asr/encoders/batch-parts.js';
import { conformerEncoderSchema } from '../../../src/asr/encoders/conformer-config.js';
import { ConformerEncoder } from '../../../src/asr/encoders/conformer-encoder.js';
import {
  createReferenceEngine,
  type Engine,
  float32,
  int32,
  OnnxEngine,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../../src/engine/index.js';
import { evaluationPass, Linear, trainingPass } from '../../../src/nn/index.js';
import { CounterRandom } from '../../../src/random/index.js';

const BATCH = 5;
const FRAMES = 32;
const BINS = 8;
const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

type Kind = 'striding' | 'dw_striding' | 'vggnet';

const encoder = (parts: number, subsampling: Kind, nemo_compat: '1.x' | '2.5' = '2.5', subsampling_factor = 4) =>
  new ConformerEncoder({ feat_in: BINS, d_model: 8, n_heads: 2, n_layers: 1, subsampling, subsampling_factor, subsampling_conv_channels: 4, conv_kernel_size: 5, nemo_compat, subsampling_conv_chunking_factor: parts }); // biome-ignore format: one line reads better

/** The encoded frames [B,T',d] in evaluation, and in training their loss and gradients. */
function programOf(engine: Engine, module: ConformerEncoder, frames: number) {
  const parameters = [...module.parameters()];
  return engine.compile('step', ({ x, lengths }) => {
    const batchFrames = tf.tensor1d([frames - 2], 'int32');
    const encoded = (training: boolean): Tensor =>
      module.forward(x, lengths, { ...(training ? trainingPass : evaluationPass), batchFrames }).encoded;
    const { value, grads } = valueAndGrads(() => tf.sum(tf.sin(encoded(true))) as tf.Scalar, parameters);
    const named = Object.fromEntries(grads.map((grad, i) => [parameters[i].name, grad]));
    return { encoded: encoded(false), loss: value, ...named };
  });
}

function inputsOf(frames: number) {
  const data = Float32Array.from({ length: BATCH * frames * BINS }, (_, i) => new CounterRandom(3).normal(i));
  const lengths = [2, 9, 3, 20, 7].map((less) => frames - less);
  return { x: float32(data, [BATCH, frames, BINS]), lengths: int32(lengths, [BATCH]) };
}

async function stepOf(engine: Engine, module: ConformerEncoder) {
  const program = programOf(engine, module, FRAMES);
  const out = await program.run(inputsOf(FRAMES), { random: new CounterRandom(5) });
  program.dispose();
  const numbers = (name: string) => Array.from(out[name].data as Float32Array);
  return { encoded: numbers('encoded'), grads: [...module.parameters()].map(({ name }) => numbers(name)) };
}

/** The most that is alive at once in a step, which is not run. */
function peakOf(module: ConformerEncoder, frames: number): number {
  const program = programOf(onnx, module, frames);
  const peak = program.peakBytes?.(inputsOf(frames)) as number;
  program.dispose();
  return peak;
}

describe.each(['striding', 'dw_striding', 'vggnet'] as const)('parts of a batch: %s', (kind) => {
  it.each([
    [2, '2.5', 4],
    [4, '1.x', 4],
    [16, '2.5', 4],
    [2, '2.5', 2],
    [2, '1.x', 8],
    [4, '2.5', 8],
  ] as const)(
    '%i parts, as NeMo %s masks, of 1/%i give what the whole batch gives',
    async (parts, compat, factor) => {
      const whole = await stepOf(onnx, encoder(1, kind, compat, factor));
      const cut = await stepOf(onnx, encoder(parts, kind, compat, factor));
      expect(cut.encoded).toEqual(whole.encoded);
      for (const [i, grad] of whole.grads.entries()) {
        const scale = Math.max(1e-3, ...grad.map(Math.abs));
        const worst = Math.max(...grad.map((g, k) => Math.abs(g - cut.grads[i][k])));
        expect(worst / scale).toBeLessThan(1e-5);
      }
    },
  );

  it.each([4, 8])('takes less memory the more parts there are: of 1/%i', (factor) => {
    const peaks = [1, 2, 4].map((parts) => peakOf(encoder(parts, kind, '2.5', factor), 16 * FRAMES));
    const [whole, two, four] = peaks;
    expect([four < two, two < whole], `${peaks}`).toEqual([true, true]);
  });
});

it('each part is through, forward and back, before the next one begins', () => {
  const wide = 4096;
  const peak = (parts: number): number => {
    const layers = [new Linear(8, wide), new Linear(wide, 8)];
    const parameters = layers.flatMap((layer) => [...layer.parameters()]);
    const program = onnx.compile('parts', ({ x }) => {
      const part = (image: Tensor) =>
        layers[1].forward(tf.tanh(layers[0].forward(image, trainingPass)), trainingPass);
      const loss = () => tf.sum(tf.square(inBatchParts(x, parts, trainingPass, part))) as tf.Scalar;
      const { value, grads } = valueAndGrads(loss, parameters);
      return { value, ...Object.fromEntries(grads.map((grad, i) => [`${i}`, grad])) };
    });
    const bytes = program.peakBytes?.({ x: float32(new Float32Array(8 * 50 * 8), [8, 50, 8]) }) as number;
    program.dispose();
    return bytes;
  };
  const [whole, two, eight] = [1, 2, 8].map(peak);
  expect(two / whole, `${[whole, two, eight]}`).toBeLessThan(0.65);
  expect(eight / whole, `${[whole, two, eight]}`).toBeLessThan(0.3);
});

it('an engine that computes at once gives the same', async () => {
  const [eager, compiled] = [await stepOf(createReferenceEngine(), encoder(2, 'striding')), await stepOf(onnx, encoder(2, 'striding'))]; // biome-ignore format: one line reads better
  for (const [i, value] of eager.encoded.entries()) expect(compiled.encoded[i]).toBeCloseTo(value, 4);
});

it('a batch is cut as NeMo cuts it', () => {
  const sizes = (batch: number, parts: number) => batchParts(batch, parts).map(({ count }) => count);
  expect(sizes(8, 4)).toEqual([2, 2, 2, 2]);
  expect(sizes(5, 2)).toEqual([2, 2, 1]);
  expect(sizes(3, 8)).toEqual([1, 1, 1]);
});

it('parts are -1 or a power of 2', () => {
  const errors = (parts: number) =>
    conformerEncoderSchema
      .validate({ feat_in: 8, d_model: 8, n_layers: 1, subsampling_conv_chunking_factor: parts })
      .errors.map(({ message }) => message);
  for (const parts of [-1, 1, 2, 8]) expect(errors(parts)).toEqual([]);
  for (const parts of [0, 3, 6]) expect(errors(parts)).toHaveLength(1);
});
