// Folders of Hugging Face: read, written, and what is wrong with them.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, int32, OnnxEngine } from '../../src/engine/index.js';
import { openWeights } from '../../src/formats/index.js';
import { configOf } from '../../src/lm/huggingface/config-file.js';
import { architectureOf, LanguageNetwork, type NetworkOptions, networkWeights, openHuggingFace, writeHuggingFace } from '../../src/lm/index.js'; // biome-ignore format: one line
import { evaluationPass, loadWeights } from '../../src/nn/index.js';

const tiny = fileURLToPath(new URL('../golden/lm/tiny-llama', import.meta.url));
const tokenizer = { bosId: 1, eosId: 2, files: () => new Map<string, Uint8Array>() };
const temporary = (): string => mkdtempSync(join(tmpdir(), 'anemone-hf-'));

let engine: Engine;
beforeAll(() => {
  engine = new OnnxEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

async function read(folder: string): Promise<{ network: LanguageNetwork; options: NetworkOptions }> {
  const { architecture: options, weights } = await openHuggingFace(folder);
  try {
    const network = new LanguageNetwork(options, 'core');
    await loadWeights([...network.parameters()], networkWeights(weights, options), engine);
    return { network, options };
  } finally {
    await weights.close();
  }
}

const valuesOf = async (network: LanguageNetwork): Promise<Float32Array[]> => {
  const all: Float32Array[] = [];
  for (const parameter of network.parameters()) all.push((await engine.read(parameter)) as Float32Array);
  return all;
};

describe('a folder of Hugging Face', () => {
  it('gives the logits of transformers', async () => {
    const { logits } = JSON.parse(readFileSync(join(tiny, 'generated.json'), 'utf8'));
    const { network } = await read(tiny);
    const program = engine.compile('logits', ({ tokens }) => ({
      y: network.logits({ tokens }, evaluationPass),
    }));
    const { y } = await program.run({ tokens: int32(logits.prompt, [1, logits.prompt.length]) });
    const last = y.data.slice(-40);
    expect(Math.max(...logits.last.map((v: number, i: number) => Math.abs(v - last[i])))).toBeLessThan(1e-4);
  });

  it('is written and read of an MPT: its slopes, its norms without biases, its rows', async () => {
    const config = { model_type: 'mpt', d_model: 32, n_heads: 4, n_layers: 2, max_seq_len: 20, vocab_size: 40, attn_config: { alibi: true } }; // biome-ignore format: one line
    const network = new LanguageNetwork(architectureOf(config), 'core');
    network.seed = 4;
    const folder = join(temporary(), 'out');
    await writeHuggingFace(folder, { network, tokenizer }, engine);
    expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))).toMatchObject({ architectures: ['MptForCausalLM'], expansion_ratio: 4, no_bias: true }); // biome-ignore format: one line
    const again = await read(folder);
    expect(await valuesOf(again.network)).toEqual(await valuesOf(network));
    const { weights } = await openHuggingFace(folder);
    expect([...weights.entries.keys()].filter((name) => /bias|lm_head/.test(name))).toEqual([]);
    await weights.close();
  });

  it.each([
    [{ n_heads: 6 }, /n_heads.*6 heads/],
    [{ attn_config: { alibi: false } }, /attn_config.alibi/],
    [{ attn_config: { clip_qkv: 6 } }, /attn_config.clip_qkv/],
    [{ attn_config: { qk_ln: true } }, /attn_config.qk_ln/],
  ])('of an MPT that is another is refused: %j', (more, message) => {
    const config = { model_type: 'mpt', d_model: 48, n_heads: 4, n_layers: 2, max_seq_len: 20, vocab_size: 40, ...more }; // biome-ignore format: one line
    expect(() => architectureOf(config)).toThrow(message);
  });

  it.each([
    ['one file', 5e9, ['model.safetensors']],
    ['several with an index', 4000, ['model.safetensors.index.json']],
  ] as const)('is written as it was read, bit for bit: %s', async (_, shardBytes, names) => {
    const { network } = await read(tiny);
    const folder = join(temporary(), 'out');
    const files = await writeHuggingFace(folder, { network, tokenizer }, engine, { shardBytes });
    for (const name of names) expect(files).toContain(name);
    const [theirs, ours] = [
      await openWeights(join(tiny, 'model.safetensors')),
      (await openHuggingFace(folder)).weights,
    ];
    expect([...ours.entries.keys()].sort()).toEqual([...theirs.entries.keys()].sort());
    for (const name of theirs.entries.keys()) {
      const [a, b] = [await theirs.read(name), await ours.read(name)];
      expect([b.dtype, b.shape]).toEqual([a.dtype, a.shape]);
      expect(Buffer.from(b.data.buffer).equals(Buffer.from(a.data.buffer))).toBe(true);
    }
    await Promise.all([theirs.close(), ours.close()]);
    expect(await valuesOf((await read(folder)).network)).toEqual(await valuesOf(network));
  });

  it('in 16 bits has the rounded weights, and is read and written without further loss', async () => {
    const { network } = await read(tiny);
    const [first, second] = [join(temporary(), 'a'), join(temporary(), 'b')];
    await writeHuggingFace(first, { network, tokenizer }, engine, { type: 'BF16' });
    const again = await read(first);
    await writeHuggingFace(second, { network: again.network, tokenizer }, engine, { type: 'BF16' });
    const bytes = (folder: string) => readFileSync(join(folder, 'model.safetensors'));
    expect(bytes(second).equals(bytes(first))).toBe(true);
    expect(bytes(first).length).toBeLessThan(0.6 * readFileSync(join(tiny, 'model.safetensors')).length);
  });
});

const sizes = {
  vocab_size: 40, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2,
  max_position_embeddings: 32, hidden_act: 'silu',
}; // biome-ignore format: a table
const scaling = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
};
const FAMILIES = {
  gpt2: { model_type: 'gpt2', vocab_size: 40, n_embd: 16, n_layer: 2, n_head: 4, n_positions: 32 },
  llama: { model_type: 'llama', ...sizes, head_dim: 8, rope_theta: 5e5, rope_scaling: scaling, tie_word_embeddings: true },
  'llama with biases': { model_type: 'llama', ...sizes, attention_bias: true, mlp_bias: true },
  mistral: { model_type: 'mistral', ...sizes, sliding_window: 7 },
  qwen2: { model_type: 'qwen2', ...sizes },
  'qwen2 with a window': { model_type: 'qwen2', ...sizes, sliding_window: 7, use_sliding_window: true, max_window_layers: 1 },
  qwen3: { model_type: 'qwen3', ...sizes, head_dim: 8 },
  gemma: { model_type: 'gemma', ...sizes, hidden_act: 'gelu_pytorch_tanh' },
  gemma2: { model_type: 'gemma2', ...sizes, hidden_activation: 'gelu_pytorch_tanh', sliding_window: 7, query_pre_attn_scalar: 20, attn_logit_softcapping: 3, final_logit_softcapping: 4 },
  gemma3: { model_type: 'gemma3_text', ...sizes, hidden_activation: 'gelu_pytorch_tanh', sliding_window: 7, query_pre_attn_scalar: 20, sliding_window_pattern: 2 },
}; // biome-ignore format: a table

describe('a network of a family', () => {
  it.each(Object.entries(FAMILIES))(
    'is written as one, and is the same when it is read: %s',
    async (_, config) => {
      const options = architectureOf(config);
      for (const naming of ['core', 'legacy'] as const) {
        const network = new LanguageNetwork(options, naming);
        const folder = join(temporary(), 'out');
        await writeHuggingFace(folder, { network, tokenizer }, engine);
        const again = await read(folder);
        expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).model_type).toBe(
          config.model_type,
        );
        expect({ ...again.options, scalesInit: false }).toEqual({ ...options, scalesInit: false });
        expect(await valuesOf(again.network)).toEqual(await valuesOf(network));
        engine.release([...network.parameters(), ...again.network.parameters()]);
      }
    },
  );

  it('is refused where there is no such family', () => {
    const llama = architectureOf(FAMILIES.llama);
    expect(() => configOf({ ...llama, norm: 'layernorm' }, tokenizer)).toThrow(/the nearest is llama: norm/);
    expect(() => configOf({ ...llama, order: 'post_ln' }, tokenizer)).toThrow(/order is "post_ln"/);
    expect(() => configOf({ ...llama, activation: 'squared_relu' }, tokenizer)).toThrow(/no family/);
  });
});

describe('what is wrong with a folder', () => {
  const changed = (change: (folder: string) => void): string => {
    const folder = join(temporary(), 'model');
    cpSync(tiny, folder, { recursive: true });
    change(folder);
    return folder;
  };
  const config = (changes: object) => (folder: string) => {
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }));
  };

  it.each([
    ['another family', config({ model_type: 'mamba' }), /type "mamba"/],
    ['a width that is none', config({ hidden_size: -1 }), /whole number above 0/],
    ['weights of another width', config({ hidden_size: 32, head_dim: 4 }), /the tensor is \[40, 16\]/],
    ['weights of fewer layers', config({ num_hidden_layers: 3 }), /lacks model\.layers\.2/],
    ['weights of more layers', config({ num_hidden_layers: 1 }), /has model\.layers\.1.*which nothing takes/],
    [
      'a config that is cut off',
      (f: string) => writeFileSync(join(f, 'config.json'), '{"model_type":'),
      /is not JSON/,
    ],
    [
      'weights that are cut off',
      (f: string) => {
        const file = join(f, 'model.safetensors');
        writeFileSync(file, readFileSync(file).subarray(0, 9000));
      },
      /bytes of tensors are promised/,
    ],
    [
      'an index that leads out of the folder',
      (f: string) =>
        writeFileSync(join(f, 'model.safetensors.index.json'), '{"weight_map":{"a":"../x.safetensors"}}'),
      /no name of a safetensors file/,
    ],
    [
      'an index without files',
      (f: string) => writeFileSync(join(f, 'model.safetensors.index.json'), '{"weight_map":{}}'),
      /lacks/,
    ],
  ] as const)('is one line: %s', async (_, change, expected) => {
    await expect(read(changed(change))).rejects.toThrow(expected);
  });

  it('a folder with files is not written over', async () => {
    const { network } = await read(tiny);
    const folder = temporary();
    writeFileSync(join(folder, 'mine.txt'), 'mine');
    await expect(writeHuggingFace(folder, { network, tokenizer }, engine)).rejects.toMatchObject({
      code: 'lm.folder',
    });
    expect(readdirSync(folder)).toEqual(['mine.txt']);
  });

  it('nothing is left behind of one that could not be written', async () => {
    const { network } = await read(tiny);
    const parent = temporary();
    const files = () => new Map([['no/such/folder', new Uint8Array(1)]]);
    await expect(writeHuggingFace(join(parent, 'out'), { network, tokenizer: { ...tokenizer, files } }, engine)).rejects.toThrow(); // biome-ignore format: one line
    expect(readdirSync(parent)).toEqual([]);
    expect(existsSync(join(parent, 'out'))).toBe(false);
  });
});
