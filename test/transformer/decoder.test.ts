// The causal decoder and the language network over it: against the formulas written out, token by token against the whole
// sequence, and with checkpointing against without.
import { afterAll, describe, expect, it } from 'vitest';
import { createReferenceEngine, float32, type HostTensors, int32, OnnxEngine, State, sizeOf, type Tensor, tf, valueAndGrads } from '../../src/engine/index.js'; // biome-ignore format: one line reads better
import { LanguageNetwork, type NetworkOptions } from '../../src/lm/network.js';
import { evaluationPass, trainingPass } from '../../src/nn/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { cachedHeadSize, isGated } from '../../src/transformer/index.js';

const reference = createReferenceEngine();
const onnx = new OnnxEngine({ threads: 1 });
afterAll(() => onnx.dispose());

const [batch, length, vocabulary] = [2, 7, 11];
const base: NetworkOptions = {
  layers: 2,
  width: 16,
  inner: 24,
  heads: 2,
  groups: 2,
  headSize: 8,
  activation: 'gelu_tanh',
  norm: 'layernorm',
  epsilon: 1e-5,
  bias: true,
  positions: 12,
  initStd: 0.4,
  scalesInit: true,
  vocabulary,
  rows: 16,
  learnsPositions: true,
  tiesHead: true,
};
const llama: NetworkOptions = {
  ...base,
  heads: 4,
  groups: 2,
  headSize: 4,
  activation: 'swiglu',
  norm: 'rmsnorm',
  bias: false,
  rotary: { size: 4 },
  learnsPositions: false,
  tiesHead: false,
};
const kinds: Readonly<Record<string, NetworkOptions>> = {
  'GPT-2': base,
  Llama: llama,
  'biases of queries alone, normalised queries': { ...llama, queryBias: true, normsQueries: true },
  'layernorm1p, squared relu, half of each head turned': {
    ...base,
    norm: 'layernorm1p',
    activation: 'squared_relu',
    rotary: { size: 8, percentage: 0.5, base: 100 },
    learnsPositions: false,
  },
  'norms of outputs, softcaps, windows, scaled embeddings': {
    ...llama,
    activation: 'geglu_tanh',
    norm: 'rmsnorm1p',
    normsOutputs: true,
    softcap: 2,
    logitSoftcap: 3,
    windows: [3, undefined],
    embeddingScale: 4,
    scale: 0.3,
    tiesHead: true,
  },
  'norms after the blocks': { ...base, order: 'post_ln', activation: 'relu' },
  ALiBi: { ...base, alibi: true, learnsPositions: false, heads: 4, groups: 4, headSize: 4 },
  'ALiBi of six heads in groups, a window, heads that fill the cache': {
    ...llama,
    rotary: undefined,
    alibi: true,
    heads: 6,
    groups: 2,
    headSize: 8,
    windows: [undefined, 3],
  },
  'ALiBi, norms and maps without biases (MPT)': {
    ...base,
    alibi: true,
    learnsPositions: false,
    norm: 'layernorm_unbiased',
    activation: 'gelu_tanh',
    bias: false,
  },
  'NormFormer, scaled heads': { ...base, order: 'normformer', scalesHeads: true },
  'NormFormer of layernorm1p, gated': {
    ...base,
    order: 'normformer',
    norm: 'layernorm1p',
    activation: 'swiglu',
  },
  'NormFormer of rmsnorm, ALiBi, scaled heads in groups': {
    ...llama,
    rotary: undefined,
    order: 'normformer',
    alibi: true,
    scalesHeads: true,
  },
};

function inputs(): HostTensors {
  const random = new CounterRandom(5);
  const ids = (seed: number) => Int32Array.from({ length: batch * length }, (_, i) => random.derive(seed).integer(i, vocabulary)); // biome-ignore format: one line
  return {
    tokens: int32(ids(1), [batch, length]),
    labels: int32(ids(2), [batch, length]),
    lossMask: float32(Float32Array.from({ length: batch * length }, (_, i) => Number(i % 5 !== 0)), [batch, length]), // biome-ignore format: one line
  };
}

function network(options: NetworkOptions, checkpointed = false): LanguageNetwork {
  const checkpointing = { activations_checkpoint_granularity: checkpointed ? ('full' as const) : null };
  const made = new LanguageNetwork(options, 'core', checkpointing);
  made.seed = 3;
  return made;
}

/** Slopes of ALiBi as NeMo's recursion makes them. */
function nemoSlopes(heads: number): number[] {
  const power = Math.log2(heads);
  const start = 2 ** -(2 ** -(power - 3));
  if (Number.isInteger(power)) return Array.from({ length: heads }, (_, i) => start * start ** i);
  const closest = 2 ** Math.floor(power);
  const every = nemoSlopes(2 * closest).filter((_, i) => i % 2 === 0);
  return [...nemoSlopes(closest), ...every.slice(0, heads - closest)];
}

/** The formulas of the papers, one head at a time, in plain arithmetic. */
async function plainLogits(net: LanguageNetwork): Promise<Float32Array> {
  const o = net.options;
  const weights = new Map<string, Float32Array>();
  for (const p of net.parameters()) weights.set(p.name, (await onnx.read(p)) as Float32Array);
  const w = (name: string) => weights.get(name);
  const linear = (x: number[], name: string): number[] => {
    const [matrix, bias] = [w(`${name}.weight`) as Float32Array, w(`${name}.bias`)];
    return Array.from({ length: matrix.length / x.length }, (_, i) => x.reduce((sum, v, j) => sum + v * matrix[i * x.length + j], bias ? bias[i] : 0)); // biome-ignore format: one line
  };
  const norm = (
    x: number[],
    weight: Float32Array,
    bias: Float32Array | undefined,
    kind = o.norm,
  ): number[] => {
    const mean = kind.startsWith('layernorm') ? x.reduce((a, b) => a + b) / x.length : 0;
    const scale = 1 / Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length + o.epsilon);
    return x.map(
      (v, i) => (v - mean) * scale * (weight[i] + Number(kind.endsWith('1p'))) + (bias ? bias[i] : 0),
    );
  };
  const normOf = (x: number[], name: string, separator = '.') => norm(x, w(`${name}${separator}weight`) as Float32Array, w(`${name}${separator}bias`)); // biome-ignore format: one line
  // What NeMo's layers of NormFormer have: RMS norms but for layernorm, and layernorm1p inside the feed-forward block.
  const more = (x: number[], name: string, others: readonly string[]) => {
    const kind = others.includes(o.norm) ? o.norm : 'rmsnorm';
    return o.order === 'normformer' ? norm(x, w(`${name}.weight`) as Float32Array, w(`${name}.bias`), kind) : x; // biome-ignore format: one line
  };
  const act = (v: number): number => {
    if (o.activation.startsWith('ge'))
      return 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
    if (o.activation === 'swiglu') return v / (1 + Math.exp(-v));
    return o.activation === 'squared_relu' ? Math.max(v, 0) ** 2 : Math.max(v, 0);
  };
  const turn = (x: number[], at: number): number[] => {
    if (!o.rotary) return x;
    const turned = o.headSize * (o.rotary.percentage ?? 1);
    const half = turned / 2;
    return x.map((v, i) => {
      if (i >= turned) return v;
      const angle = at * (o.rotary?.base ?? 10000) ** (-(2 * (i % half)) / turned);
      return i < half ? v * Math.cos(angle) - x[i + half] * Math.sin(angle) : v * Math.cos(angle) + x[i - half] * Math.sin(angle); // biome-ignore format: one line
    });
  };
  const cap = (v: number, softcap: number | undefined) => (softcap ? softcap * Math.tanh(v / softcap) : v);
  const { tokens } = inputs();
  const out: number[] = [];
  for (let b = 0; b < batch; b++) {
    const table = w('embedding.word_embeddings.weight') as Float32Array;
    const places = w('embedding.position_embeddings.weight');
    let xs = Array.from({ length }, (_, t) =>
      Array.from({ length: o.width }, (_, i) => table[(tokens.data as Int32Array)[b * length + t] * o.width + i] * (o.embeddingScale ?? 1) + (places ? places[t * o.width + i] : 0))); // biome-ignore format: one line
    for (let l = 0; l < o.layers; l++) {
      const layer = `decoder.layers.${l}`;
      const [inNorm, mlpNorm] = [
        `${layer}.self_attention.linear_qkv.layer_norm`,
        `${layer}.mlp.linear_fc1.layer_norm`,
      ];
      const isPost = o.order === 'post_ln';
      const repeats = o.heads / o.groups;
      const qkv = xs.map((x) =>
        linear(isPost ? x : normOf(x, inNorm, '_'), `${layer}.self_attention.linear_qkv`),
      );
      const head = (t: number, group: number, k: number) => qkv[t].slice((group * (repeats + 2) + k) * o.headSize, (group * (repeats + 2) + k + 1) * o.headSize); // biome-ignore format: one line
      const normed = (x: number[], name: string) =>
        o.normsQueries ? normOf(x, `${layer}.self_attention.${name}_layernorm`) : x;
      const heard = xs.map((_, t) =>
        Array.from({ length: o.heads }, (_, h) => {
          const group = Math.floor(h / repeats);
          const q = turn(normed(head(t, group, h % repeats), 'q'), t);
          const first = Math.max(0, t + 1 - (o.windows?.[l] ?? length));
          const seen = Array.from({ length: t + 1 - first }, (_, i) => first + i);
          const scores = seen.map((s) => cap(turn(normed(head(s, group, repeats), 'k'), s).reduce((sum, v, i) => sum + v * q[i], 0) * (o.scale ?? o.headSize ** -0.5), o.softcap) - (o.alibi ? nemoSlopes(o.heads)[h] * (t - s) : 0)); // biome-ignore format: one line
          const top = Math.max(...scores);
          const total = scores.reduce((sum, v) => sum + Math.exp(v - top), 0);
          const scaled = w(`${layer}.self_attention.head_scale_tensor`)?.[h] ?? 1;
          return Array.from({ length: o.headSize }, (_, i) => seen.reduce((sum, s, j) => sum + (Math.exp(scores[j] - top) / total) * scaled * head(s, group, repeats + 1)[i], 0)); // biome-ignore format: one line
        }).flat(),
      );
      const outNorm = (x: number[], name: string) => (o.normsOutputs ? normOf(x, `${layer}.${name}`) : x);
      const plus = (x: number[], y: number[]) => x.map((v, i) => v + y[i]);
      xs = xs.map((x, t) => {
        const attended = plus(
          x,
          more(outNorm(linear(heard[t], `${layer}.self_attention.linear_proj`), 'post_self_attn_layernorm'), `${layer}.post_attention_normformer_norm`, ['layernorm']), // biome-ignore format: one line
        );
        const after = isPost ? normOf(attended, inNorm, '_') : attended;
        const hidden = linear(isPost ? after : normOf(after, mlpNorm, '_'), `${layer}.mlp.linear_fc1`);
        const inner = isGated(o.activation) ? hidden.slice(0, o.inner).map((v, i) => act(v) * hidden[o.inner + i]) : hidden.map(act); // biome-ignore format: one line
        const y = plus(
          after,
          outNorm(
            linear(
              more(inner, `${layer}.mlp.normalization`, ['layernorm', 'layernorm1p']),
              `${layer}.mlp.linear_fc2`,
            ),
            'post_mlp_layernorm',
          ),
        );
        return isPost ? normOf(y, mlpNorm, '_') : y;
      });
    }
    const last = o.order === 'post_ln' ? xs : xs.map((x) => normOf(x, 'decoder.final_layernorm'));
    const headName = o.tiesHead ? 'embedding.word_embeddings' : 'output_layer';
    out.push(...last.flatMap((x) => linear(x, headName).map((v) => cap(v, o.logitSoftcap))));
  }
  return Float32Array.from(out);
}

describe.each(Object.entries(kinds))('%s', (_, options) => {
  it('equals the formulas', async () => {
    const net = network(options);
    // Norms, biases and scales of heads start as 1 or 0: others tell whether they are used.
    for (const [i, p] of [...net.parameters()].entries()) {
      const random = new CounterRandom(9).derive(i);
      if (p.shape.length !== 2) await onnx.write(p, Float32Array.from({ length: sizeOf(p.shape) }, (_, j) => 0.5 + random.uniform(j))); // biome-ignore format: one line
    }
    const { logits } = await onnx.compile('logits', ({ tokens }) => ({ logits: net.logits({ tokens }, evaluationPass) })).run({ tokens: inputs()['tokens'] }); // biome-ignore format: one line
    const expected = await plainLogits(net);
    expected.forEach((value, i) => {
      expect(Math.abs(value - logits.data[i])).toBeLessThan(2e-4);
    });
  });

  it('has the loss of its logits, and gradients that checkpointing leaves as they are, bit for bit', async () => {
    const run = async (engine: typeof onnx, checkpointed: boolean) => {
      const net = network(options, checkpointed);
      const parameters = [...net.parameters()];
      const program = engine.compile('step', ({ tokens, labels, lossMask }) => {
        const { value, grads } = valueAndGrads(
          () => net.loss({ tokens }, labels, lossMask, trainingPass),
          parameters,
        );
        return { loss: value, ...Object.fromEntries(grads.map((grad, i) => [`g${i}`, grad])) };
      });
      return { net, out: await program.run(inputs(), { random: new CounterRandom(1) }) };
    };
    const { net, out } = await run(onnx, false);
    const again = await run(onnx, true);
    for (const [key, { data }] of Object.entries(out)) expect(again.out[key].data, key).toEqual(data);
    const slow = await run(reference as unknown as typeof onnx, false);
    for (const [key, { data }] of Object.entries(slow.out))
      (data as Float32Array).forEach((value, i) => {
        expect(Math.abs(value - out[key].data[i]), key).toBeLessThan(2e-3 + 1e-3 * Math.abs(value));
      });
    const logits = await plainLogits(net);
    const { labels, lossMask } = inputs();
    let loss = 0;
    for (let i = 0; i < batch * length; i++) {
      const row = [...logits.slice(i * 16, i * 16 + vocabulary)];
      const total = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
      loss += (total - row[labels.data[i] as number]) * (lossMask.data[i] as number);
    }
    expect(out['loss'].data[0]).toBeCloseTo(loss, 3);
  });

  it('tells of each position the same, whether it sees all at once or a token at a time', async () => {
    if (options.order === 'post_ln') return;
    const net = network(options);
    const whole = await onnx.compile('whole', ({ tokens }) => ({ logits: net.logits({ tokens }, evaluationPass) })).run({ tokens: inputs()['tokens'] }); // biome-ignore format: one line
    const room = 8;
    const memory: Record<string, State> = {};
    for (let i = 0; i < options.layers; i++)
      for (const kind of ['keys', 'values']) memory[`${kind}.${i}`] = new State(`${kind}${i}`, [batch, options.groups, room, cachedHeadSize(options)]); // biome-ignore format: one line
    const step = onnx.compile('step', ({ tokens, positions, last, lastPlaces, total }) => {
      const held = Object.fromEntries(Object.entries(memory).map(([key, state]) => [key, state.tensor()]));
      const { logits, ...next } = net.extend(tokens, positions, last, { memory: held, lastPlaces, total }, evaluationPass); // biome-ignore format: one line
      for (const [key, state] of Object.entries(memory)) state.assign(next[key] as Tensor);
      return { logits: tf.add(logits, 0) };
    });
    const ids = inputs()['tokens'].data as Int32Array;
    const prefill = 3;
    for (let at = 0; at < length; at += at === 0 ? prefill : 1) {
      const steps = at === 0 ? prefill : 1;
      const rows = (of: (b: number, k: number) => number) => int32(Int32Array.from({ length: batch * steps }, (_, i) => of(Math.floor(i / steps), i % steps)), [batch, steps]); // biome-ignore format: one line
      const end = at + steps;
      const { logits } = await step.run({
        tokens: rows((b, k) => ids[b * length + at + k]),
        positions: rows((_, k) => at + k),
        last: int32([steps - 1, steps - 1], [batch]),
        lastPlaces: int32([end - 1, end - 1], [batch]),
        total: int32([end], [1]),
      });
      for (let b = 0; b < batch; b++)
        for (let v = 0; v < vocabulary; v++)
          expect(Math.abs(logits.data[b * vocabulary + v] - whole['logits'].data[(b * length + end - 1) * 16 + v])).toBeLessThan(1e-4); // biome-ignore format: one line
    }
  });
});

it('drops in training alone, the same again for the gradient', async () => {
  const options = { ...base, hiddenDropout: 0.3, attentionDropout: 0.3, innerDropout: 0.2 };
  const losses = await Promise.all(
    [false, true].map(async (checkpointed) => {
      const net = network(options, checkpointed);
      const program = onnx.compile('step', ({ tokens, labels, lossMask }) => {
        const { value, grads } = valueAndGrads(() => net.loss({ tokens }, labels, lossMask, trainingPass), [...net.parameters()]); // biome-ignore format: one line
        return { loss: value, norm: tf.addN(grads.map((grad) => tf.sum(tf.square(grad)))) };
      });
      const run = (seed: number) => program.run(inputs(), { random: new CounterRandom(seed) });
      return [await run(1), await run(1), await run(2)].map(({ loss, norm }) => [loss.data[0], norm.data[0]]);
    }),
  );
  expect(losses[0][0]).toEqual(losses[0][1]);
  expect(losses[0][0][0]).not.toBe(losses[0][2][0]);
  expect(losses[1]).toEqual(losses[0]);
});
