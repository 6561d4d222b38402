// Models of GGUF files: each family gives the logits of the folder of transformers that it was converted from.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import { architectureOf, type HuggingFaceConfig, LanguageNetwork, openHuggingFace, PretrainedLanguageModel, writeHuggingFace } from '../../src/lm/index.js'; // biome-ignore format: one line
import { evaluationPass } from '../../src/nn/index.js';
import { type RotaryOptions, rotaryFrequencies } from '../../src/transformer/index.js';
import { ggufFile, ggufTensors, type Metadata } from './gguf-file.js';

const folder = mkdtempSync(join(tmpdir(), 'gguf-'));
const engine = new OnnxEngine({ threads: 1 });
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await engine.dispose();
});

const sizes = {
  vocab_size: 40, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2,
  max_position_embeddings: 64, rms_norm_eps: 1e-5,
}; // biome-ignore format: a table
const letters = Array.from({ length: 37 }, (_, i) => String.fromCharCode(65 + i));
const vocabulary = ['<unk>', '<s>', '</s>', ...letters];
const tokenizer: Metadata = {
  'tokenizer.ggml.model': 'llama',
  'tokenizer.ggml.tokens': vocabulary,
  'tokenizer.ggml.scores': vocabulary.map((_, i) => -i),
  'tokenizer.ggml.token_type': vocabulary.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : 1)),
  'tokenizer.ggml.bos_token_id': 1,
  'tokenizer.ggml.eos_token_id': 2,
};
const shared = (family: string): Metadata => ({
  'general.architecture': family,
  [`${family}.embedding_length`]: 16,
  [`${family}.feed_forward_length`]: 24,
  [`${family}.block_count`]: 3,
  [`${family}.attention.head_count`]: 4,
  [`${family}.attention.head_count_kv`]: 2,
  [`${family}.context_length`]: 64,
  [`${family}.attention.layer_norm_rms_epsilon`]: 1e-5,
});

interface Case {
  readonly family: string;
  readonly config: HuggingFaceConfig;
  readonly metadata?: Metadata;
  /** Divisors of the rotary frequencies. */
  readonly factors?: readonly number[];
}
const rotary: RotaryOptions = { size: 8, base: 5e5 };
const llama3 = {
  rope_type: 'llama3',
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const stretched = { kind: 'llama3', factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4 } as const;
const factorsOf = (originalPositions: number): number[] => {
  const scaled = rotaryFrequencies({ ...rotary, scaling: { ...stretched, originalPositions } });
  return rotaryFrequencies(rotary).map((frequency, i) => frequency / scaled[i]);
};
const gelu = { hidden_activation: 'gelu_pytorch_tanh', hidden_act: 'gelu_pytorch_tanh', head_dim: 8 };
const CASES: Readonly<Record<string, Case>> = {
  llama: { family: 'llama', config: { model_type: 'llama', ...sizes }, metadata: { 'llama.rope.dimension_count': 4 } },
  "llama with Llama 3's factors": {
    family: 'llama',
    config: { model_type: 'llama', ...sizes, head_dim: 8, rope_theta: 5e5, rope_scaling: llama3 },
    metadata: { 'llama.rope.dimension_count': 8, 'llama.rope.freq_base': 5e5 },
    factors: factorsOf(8192),
  },
  'llama with other factors': {
    family: 'llama',
    config: { model_type: 'llama', ...sizes, head_dim: 8, rope_theta: 5e5, rope_scaling: { ...llama3, original_max_position_embeddings: 16 } },
    metadata: { 'llama.rope.dimension_count': 8, 'llama.rope.freq_base': 5e5 },
    factors: factorsOf(16),
  },
  'llama with interpolated positions': {
    family: 'llama',
    config: { model_type: 'llama', ...sizes, rope_scaling: { rope_type: 'linear', factor: 4 } },
    metadata: { 'llama.rope.dimension_count': 4, 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 4 },
  },
  'qwen2 with YaRN': {
    family: 'qwen2',
    config: { model_type: 'qwen2', ...sizes, rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } },
    metadata: { 'qwen2.rope.scaling.type': 'yarn', 'qwen2.rope.scaling.factor': 4, 'qwen2.rope.scaling.original_context_length': 16 },
  },
  qwen3: { family: 'qwen3', config: { model_type: 'qwen3', ...sizes, head_dim: 8 }, metadata: { 'qwen3.attention.key_length': 8 } },
  gemma: { family: 'gemma', config: { model_type: 'gemma', ...sizes, ...gelu }, metadata: { 'gemma.attention.key_length': 8 } },
  gemma2: {
    family: 'gemma2',
    config: { model_type: 'gemma2', ...sizes, ...gelu, sliding_window: 7, query_pre_attn_scalar: 8, attn_logit_softcapping: 3, final_logit_softcapping: 4 },
    metadata: { 'gemma2.attention.key_length': 8, 'gemma2.attention.value_length': 8, 'gemma2.attention.sliding_window': 7, 'gemma2.attn_logit_softcapping': 3, 'gemma2.final_logit_softcapping': 4 },
  },
  'gemma3 with interpolated positions': {
    family: 'gemma3',
    config: { model_type: 'gemma3_text', ...sizes, ...gelu, sliding_window: 7, query_pre_attn_scalar: 8, rope_theta: 1e6, rope_scaling: { rope_type: 'linear', factor: 8 } },
    metadata: { 'gemma3.attention.key_length': 8, 'gemma3.attention.sliding_window': 7, 'gemma3.rope.freq_base': 1e6, 'gemma3.rope.scaling.type': 'linear', 'gemma3.rope.scaling.factor': 8 },
  },
}; // biome-ignore format: a table

async function logitsOf(network: LanguageNetwork): Promise<Float32Array> {
  const tokens = Array.from({ length: 24 }, (_, i) => (7 * i) % 40);
  const program = engine.compile('logits', ({ tokens }) => ({
    y: network.logits({ tokens }, evaluationPass),
  }));
  const { y } = await program.run({ tokens: int32(tokens, [1, tokens.length]) });
  return Float32Array.from(y.data as Float32Array);
}
const apart = (a: Float32Array, b: Float32Array): number => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0); // biome-ignore format: one line

/** A folder of transformers with random weights, and the same as GGUF. */
async function written(name: string, { family, config, metadata = {}, factors }: Case) {
  const options = architectureOf({ ...config, initializer_range: 0.3 });
  const network = new LanguageNetwork(options, 'core');
  network.seed = 5;
  const middle = options.norm === 'rmsnorm1p' ? 0 : 1;
  for (const norm of [...network.parameters()].filter(({ shape }) => shape.length === 1))
    await engine.write(
      norm,
      Float32Array.from({ length: norm.size }, (_, i) => middle + Math.cos(5 * i) / 4),
    );
  const path = join(folder, name);
  await writeHuggingFace(path, { network, tokenizer: { bosId: 1, eosId: 2, files: () => new Map() } }, engine); // biome-ignore format: one line
  const { weights } = await openHuggingFace(path);
  const tensors = await ggufTensors(weights, { family, headSize: options.headSize });
  await weights.close();
  if (factors)
    tensors.set('rope_freqs.weight', { shape: [factors.length], data: Float32Array.from(factors) });
  const file = `${path}.gguf`;
  writeFileSync(file, ggufFile({ ...shared(family), ...tokenizer, ...metadata }, tensors));
  return { network, file };
}

describe('a model of a GGUF file', () => {
  it.each(Object.entries(CASES))('gives the logits of its folder: %s', async (name, one) => {
    const { network, file } = await written(name.replace(/\W/g, '-'), one);
    const expected = await logitsOf(network);
    const model = await PretrainedLanguageModel.open(file, engine);
    const logits = await logitsOf(model.network);
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.5);
    expect(apart(logits, expected)).toBeLessThan(1e-5);
    // As a folder it is the same again.
    const out = join(folder, `${name.replace(/\W/g, '-')}-again`);
    await writeHuggingFace(out, { network: model.network, ...model.parts }, engine);
    const again = await PretrainedLanguageModel.open(out, engine);
    expect(apart(await logitsOf(again.network), logits)).toBeLessThan(1e-5);
    expect((await model.generate(['AB'], { tokensToGenerate: 3 }))[0].tokens).toHaveLength(3);
  });

  it.each([
    ['another family', { 'general.architecture': 'mamba' }, /the architecture "mamba"/],
    ['positions scaled in another way', { 'qwen3.rope.scaling.type': 'longrope' }, /scaling of rotary positions of the kind "longrope"/],
    ['heads that are turned in part', { 'qwen3.rope.dimension_count': 4 }, /rotation of 4 of 8/],
    ['values of another size', { 'qwen3.attention.value_length': 4 }, /a size of values \(4\)/],
    ['no sizes', { 'qwen3.embedding_length': 0 }, /hidden_size.*whole number above 0/],
  ] as const)('that is not supported is one line: %s', async (_, changes, expected) => {
    const one = CASES['qwen3'];
    const { file } = await written('refused', { ...one, metadata: { ...one.metadata, ...changes } });
    await expect(PretrainedLanguageModel.open(file, engine)).rejects.toThrow(expected);
    rmSync(join(folder, 'refused'), { recursive: true });
  }); // biome-ignore format: a table
});
