// Networks of all families as archives of NeMo's MegatronGPTModel, which need no other file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import { architectureOf, type HuggingFaceConfig, LanguageNetwork, type NamingScheme, restoreLanguageModel, saveGptArchive } from '../../src/lm/index.js'; // biome-ignore format: one line
import { evaluationPass } from '../../src/nn/index.js';
import { ByteTokenizer, HuggingFaceTokenizer, type Tokenizer } from '../../src/text/index.js';

const folder = mkdtempSync(join(tmpdir(), 'archived-'));
const engine = new OnnxEngine({ threads: 1 });
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await engine.dispose();
});

const sizes = {
  vocab_size: 300, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2,
  max_position_embeddings: 64, head_dim: 8,
}; // biome-ignore format: a table
const gelu = { hidden_activation: 'gelu_pytorch_tanh', query_pre_attn_scalar: 20, sliding_window: 7 };
const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 16 }; // biome-ignore format: one line
const FAMILIES: Readonly<Record<string, HuggingFaceConfig>> = {
  gpt2: { model_type: 'gpt2', vocab_size: 300, n_embd: 16, n_layer: 2, n_head: 4, n_positions: 64 },
  llama: { model_type: 'llama', ...sizes, rope_theta: 5e5, tie_word_embeddings: true, rope_scaling: llama3 },
  'llama, interpolated': { model_type: 'llama', ...sizes, rope_scaling: { rope_type: 'linear', factor: 4 } },
  'llama with biases': { model_type: 'llama', ...sizes, attention_bias: true, mlp_bias: true },
  mistral: { model_type: 'mistral', ...sizes, sliding_window: 7 },
  'qwen2 with YaRN': { model_type: 'qwen2', ...sizes, rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } },
  qwen3: { model_type: 'qwen3', ...sizes },
  gemma: { model_type: 'gemma', ...sizes, hidden_act: 'gelu_pytorch_tanh' },
  gemma2: { model_type: 'gemma2', ...sizes, ...gelu, attn_logit_softcapping: 3, final_logit_softcapping: 4 },
  gemma3: { model_type: 'gemma3_text', ...sizes, ...gelu, sliding_window_pattern: 2, rope_local_base_freq: 100 },
}; // biome-ignore format: a table

function networkOf(config: HuggingFaceConfig, naming: NamingScheme = 'core'): LanguageNetwork {
  const network = new LanguageNetwork(architectureOf({ ...config, initializer_range: 0.3 }), naming);
  network.seed = 7;
  return network;
}

async function logitsOf(network: LanguageNetwork, words: number): Promise<Float32Array> {
  const program = engine.compile('logits', ({ tokens }) => ({
    y: network.logits({ tokens }, evaluationPass),
  }));
  const { y } = await program.run({ tokens: int32(Array.from({ length: 12 }, (_, i) => 5 * i), [1, 12]) }); // biome-ignore format: one line
  const rows = y.shape[2];
  return Float32Array.from(y.data as Float32Array).filter((_, i) => i % rows < words);
}

async function again(network: LanguageNetwork, tokenizer: Tokenizer, name: string) {
  const path = join(folder, `${name.replace(/\W/g, '-')}.nemo`);
  await saveGptArchive(path, { network, tokenizer }, engine);
  const said: string[] = [];
  const model = await restoreLanguageModel(path, { engine, log: (line) => said.push(line) });
  return { model, said };
}

const letters = Object.fromEntries(
  [...'abcdefghijklmnopqrstuvwxyz', '<s>', '</s>'].map((token, i) => [token, i]),
);
const special = (content: string) => ({ id: letters[content], content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }); // biome-ignore format: one line
const tokenizer = HuggingFaceTokenizer.fromJson(
  {
    added_tokens: [special('<s>'), special('</s>')],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', vocab: letters, merges: [] },
  },
  { bos: '<s>', eos: '</s>', chatTemplate: '{{ messages[0].content }}' },
);

describe('a network as an archive of NeMo', () => {
  it.each(
    Object.entries(FAMILIES).flatMap(([name, config]) =>
      (['core', 'legacy'] as const).map((naming) => [name, naming, config] as const),
    ),
  )('computes the same when it is restored: %s, names of %s', async (name, naming, config) => {
    const network = networkOf(config, naming);
    const { model, said } = await again(network, new ByteTokenizer(), `${name}-${naming}`);
    const words = model.tokenizer.vocabSize;
    const [ours, theirs] = [await logitsOf(network, words), await logitsOf(model.network, words)];
    expect(Math.max(...ours.map(Math.abs))).toBeGreaterThan(0.3);
    expect(theirs).toEqual(ours);
    expect(said).toEqual([]);
    const [text] = await model.generate(['ab'], { engine, tokensToGenerate: 3 });
    expect(text.tokens).toHaveLength(3);
  });

  it('has its tokenizer with special tokens and chat template', async () => {
    const { model } = await again(networkOf(FAMILIES['llama']), tokenizer, 'tokenizer');
    const read = model.tokenizer as HuggingFaceTokenizer;
    expect(read.textToIds('abc')).toEqual(tokenizer.textToIds('abc'));
    expect([read.bosId, read.eosId]).toEqual([tokenizer.bosId, tokenizer.eosId]);
    expect(read.applyChatTemplate([{ role: 'user', content: 'abc' }])).toBe('abc');
  });

  it('is refused where NeMo has no key for it', async () => {
    const each = [1, 2, 3, 4];
    const rope_scaling = { rope_type: 'longrope', short_factor: each, long_factor: each };
    const network = networkOf({ model_type: 'llama', ...sizes, rope_scaling });
    await expect(again(network, new ByteTokenizer(), 'refused')).rejects.toMatchObject({ code: 'lm.no-nemo', reason: expect.stringContaining('rotary') }); // biome-ignore format: one line
  });

  it('is refused with a tokenizer that has more tokens than it', async () => {
    const network = networkOf({ ...FAMILIES['llama'], vocab_size: 20 });
    await expect(again(network, tokenizer, 'too-many')).rejects.toMatchObject({ code: 'lm.tokenizer' });
  });
});
