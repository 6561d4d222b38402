// Every form of the encoders against NeMo's own classes: names, shapes, outputs, loss and gradients in training.
import { afterAll, describe, expect, it } from 'vitest';
import {
  ConformerEncoder,
  type ConformerEncoderConfig,
  ConvASREncoder,
  convAsrEncoderSchema,
  type Encoder,
  RNNEncoder,
  rnnEncoderSchema,
  SqueezeformerEncoder,
  squeezeformerEncoderSchema,
} from '../../src/asr/index.js';
import {
  createReferenceEngine,
  type Engine,
  float32,
  int32,
  OnnxEngine,
  type Tensor,
  tf,
  valueAndGrads,
} from '../../src/engine/index.js';
import { evaluationPass, frameMask, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { maxDifference } from '../nn/support.js';
import { formula, type GoldenArray, golden, writeFormulaWeights } from './golden.js';

interface EncoderGolden {
  readonly config: Readonly<Record<string, unknown>> & { readonly feat_in: number };
  readonly lengths: number[];
  readonly frames: number;
  readonly shapes: Readonly<Record<string, number[]>>;
  /** [B,d,T'] */
  readonly output: GoldenArray;
  readonly loss: number;
  readonly out_lengths: number[];
  /** One projection of each parameter's gradient, and its length. */
  readonly gradients: Readonly<Record<string, readonly [number, number]>>;
}

type Variants = Readonly<Record<string, EncoderGolden>>;
const file = golden<Record<'conv_asr' | 'conformer' | 'squeezeformer', Variants>>('encoders');

const engines: Record<string, Engine> = {
  reference: createReferenceEngine(),
  onnx: new OnnxEngine({ threads: 1 }),
};
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine.dispose();
});

/** The golden files' input: NeMo's is [B,F,T] and zero beyond the lengths; ours is [B,T,F]. */
function features({ config, frames, lengths }: EncoderGolden): Float32Array {
  const bins = config.feat_in;
  const raw = formula(2 * bins * frames, (i) => Math.sin(0.37 * i + 0.2));
  const values = new Float32Array(raw.length);
  for (let b = 0; b < 2; b++) {
    for (let t = 0; t < lengths[b]; t++) {
      for (let f = 0; f < bins; f++) values[(b * frames + t) * bins + f] = raw[(b * bins + f) * frames + t];
    }
  }
  return values;
}

/** [B,d,T] → [B,T,d], frames beyond the lengths zero. */
function timeMajor({ output, out_lengths: lengths }: EncoderGolden, at: (i: number) => number): Float32Array {
  const [batch, width, frames] = output.shape;
  const values = new Float32Array(batch * width * frames);
  for (let b = 0; b < batch; b++) {
    for (let d = 0; d < width; d++) {
      for (let t = 0; t < lengths[b]; t++) {
        values[(b * frames + t) * width + d] = at((b * width + d) * frames + t);
      }
    }
  }
  return values;
}

function real({ encoded, lengths }: { encoded: Tensor; lengths: Tensor }): Tensor {
  const [batch, frames] = encoded.shape;
  return tf.mul(encoded, tf.reshape(frameMask(lengths, frames!), [batch, frames, 1]));
}

function checks(name: string, expected: EncoderGolden, make: (config: object) => Encoder): void {
  describe(name, () => {
    const encoder = make(expected.config);
    const keys = Object.keys(expected.shapes);
    const inputs = {
      x: float32(features(expected), [2, expected.frames, expected.config.feat_in]),
      lengths: int32(expected.lengths, [2]),
    };

    it('has the names and shapes of NeMo', () => {
      const own = Object.fromEntries([...encoder.stateDict()].map(([key, { shape }]) => [key, shape]));
      expect(own).toEqual(expected.shapes);
    });

    it('computes what NeMo computes', async () => {
      const engine = engines['reference'];
      await writeFormulaWeights(engine, encoder, keys);
      const program = engine.compile('encode', ({ x, lengths }) => {
        const out = encoder.forward(x, lengths, evaluationPass);
        return { encoded: real(out), lengths: tf.clone(out.lengths) };
      });
      const out = await program.run(inputs);
      program.dispose();
      expect([...out['lengths'].data]).toEqual(expected.out_lengths);
      expect(encoder.outputLength(expected.frames)).toBe(out['encoded'].shape[1]);
      const [batch, width, frames] = expected.output.shape;
      expect(out['encoded'].shape).toEqual([batch, frames, width]);
      expect(encoder.width).toBe(width);
      const wanted = timeMajor(expected, (i) => expected.output.data[i]);
      const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      expect(maxDifference(out['encoded'].data, wanted)).toBeLessThan(1e-5 * scale);
    });

    it('trains as NeMo trains', async () => {
      const engine = engines['onnx'];
      await writeFormulaWeights(engine, encoder, keys);
      const parameters = [...encoder.parameters()].filter(({ trainable }) => trainable);
      const weights = timeMajor(expected, (i) => Math.sin(0.11 * i + 0.5));
      const [batch, width, frames] = expected.output.shape;
      const program = engine.compile('train', ({ x, lengths }) => {
        const { value, grads } = valueAndGrads(() => {
          const out = encoder.forward(x, lengths, trainingPass);
          return tf.sum(tf.mul(real(out), tf.tensor(weights, [batch, frames, width])));
        }, parameters);
        const projections = grads.map((grad) =>
          tf.sum(
            tf.mul(tf.reshape(grad, [-1]), tf.tensor1d(formula(grad.size, (i) => Math.cos(0.5 * i + 0.3)))),
          ),
        );
        return { loss: value, gradients: tf.stack(projections) };
      });
      const out = await program.run(inputs, { random: new CounterRandom(4) });
      program.dispose();
      const close = (value: number, wanted: number): boolean =>
        Math.abs(value - wanted) < 2e-4 * Math.max(1, Math.abs(wanted));
      const longest = Math.max(...Object.values(expected.gradients).map(([, length]) => length));
      expect(close(out['loss'].data[0], expected.loss)).toBe(true);
      const wrong = parameters.flatMap(({ name }, i) => {
        const value = out['gradients'].data[i];
        const [wanted, length] = expected.gradients[name];
        // Biases before a normalisation have no gradient but rounding.
        const bound = length < 1e-4 * longest ? 1e-4 * longest : 1e-4 * length + 1e-5 * longest;
        return Math.abs(value - wanted) < bound ? [] : [{ name, value, wanted, bound }];
      });
      expect(wrong).toEqual([]);
      expect(parameters.map(({ name }) => name).sort()).toEqual(Object.keys(expected.gradients).sort());
    });
  });
}

for (const [name, variant] of Object.entries(file.conv_asr)) {
  checks(
    `ConvASREncoder ${name}`,
    variant,
    (config) => new ConvASREncoder(convAsrEncoderSchema.parse(config)),
  );
}

for (const [name, variant] of Object.entries(file.conformer)) {
  checks(
    `ConformerEncoder ${name}`,
    variant,
    (config) => new ConformerEncoder({ ...(config as ConformerEncoderConfig), nemo_compat: '1.x' }),
  );
}

for (const [name, variant] of Object.entries(file.squeezeformer)) {
  checks(
    `SqueezeformerEncoder ${name}`,
    variant,
    (config) => new SqueezeformerEncoder(squeezeformerEncoderSchema.parse({ ...config, nemo_compat: '1.x' })),
  );
}

for (const [name, variant] of Object.entries(golden<Variants>('rnn_encoders'))) {
  checks(`RNNEncoder ${name}`, variant, (config) => new RNNEncoder(rnnEncoderSchema.parse(config)));
}
