// The cache of keys and values beyond the window of layers that have one: memory is bounded, tokens are those that the whole
// sequence at once gives.
import { afterAll, describe, expect, it } from 'vitest';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import { CacheMemory } from '../../src/lm/generation/cache-memory.js';
import { CacheRunner } from '../../src/lm/generation/cache-runner.js';
import { generate } from '../../src/lm/generation/generate.js';
import { architectureOf, type HuggingFaceConfig, LanguageNetwork } from '../../src/lm/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import type { Tokenizer } from '../../src/text/index.js';

const engine = new OnnxEngine({ threads: 1 });
afterAll(() => engine.dispose());

const sizes = {
  vocab_size: 40, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2,
  max_position_embeddings: 1024, head_dim: 8, initializer_range: 0.4,
}; // biome-ignore format: a table
const CONFIGS: Readonly<Record<string, HuggingFaceConfig>> = {
  'all layers have one': { model_type: 'mistral', ...sizes, sliding_window: 7 },
  'a window of one position': { model_type: 'mistral', ...sizes, sliding_window: 1 },
  'layers take turns': { model_type: 'gemma3_text', ...sizes, sliding_window: 70, sliding_window_pattern: 2, query_pre_attn_scalar: 8, rope_local_base_freq: 100 },
}; // biome-ignore format: a table

const tokenizer = {
  vocabSize: 40,
  bosId: 0,
  eosId: -1,
  textToIds: (text: string) => text.split(' ').map(Number),
  idsToText: (ids: Iterable<number>) => [...ids].join(' '),
} as unknown as Tokenizer;

const prompt = (length: number, salt: number): number[] => Array.from({ length }, (_, i) => (salt + 7 * i + (i * i) % 11) % 40); // biome-ignore format: one line

/** Log-probabilities of each token after those before it, of all at once: [T - 1, V] by rows. */
async function wholly(network: LanguageNetwork, tokens: readonly number[]): Promise<Float32Array[]> {
  const program = engine.compile('whole', ({ tokens }) => ({
    y: network.logits({ tokens }, evaluationPass),
  }));
  const { y } = await program.run({ tokens: int32(tokens, [1, tokens.length]) });
  program.dispose();
  return tokens.map((_, i) => Float32Array.from(y.data.subarray(40 * i, 40 * (i + 1)) as Float32Array));
}

describe('the cache of layers with a window', () => {
  it('has room for the window and some more, whatever the length of the text', () => {
    const options = { layers: 2, groups: 2, headSize: 8, windows: [512, undefined] };
    const rooms = [4096, 65536].map((positions) => {
      const { tensors } = CacheMemory.empty(options, 1, positions);
      return ['keys.0', 'values.0', 'keys.1', 'values.1'].map((name) => tensors[name].shape[2]);
    });
    expect(rooms[0]).toEqual([1024, 1024, 4096, 4096]);
    expect(rooms[1]).toEqual([1024, 1024, 65536, 65536]);
    // A text that is shorter than that needs no more than its length.
    expect(CacheMemory.empty(options, 1, 100).tensors['keys.0'].shape[2]).toBe(128);
  });

  it.each(Object.entries(CONFIGS))('gives tokens the probabilities that the whole sequence at once gives: %s', async (_, config) => {
    const network = new LanguageNetwork(architectureOf(config), 'core');
    network.seed = 3;
    const prompts = [prompt(5, 1), prompt(400, 2), prompt(131, 3)];
    const writer = { runner: new CacheRunner(engine, network), tokenizer, ends: [] };
    const texts = await generate(writer, prompts.map((ids) => ids.join(' ')), { tokensToGenerate: 260, logProbs: true, temperature: 1 });
    for (const [row, { tokens, logProbs }] of texts.entries()) {
      expect(tokens).toHaveLength(260);
      expect(new Set(tokens).size).toBeGreaterThan(5);
      const before = prompts[row].length;
      const logits = await wholly(network, [...prompts[row], ...tokens]);
      const scores = logits.map((values) => {
        const total = Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));
        return values.map((value) => value - total);
      });
      const apart = tokens.map((id, i) => Math.abs(scores[before + i - 1][id] - (logProbs as number[])[i]));
      expect(Math.max(...apart)).toBeLessThan(1e-3);
    }
  });

  it('follows beams that change places', async () => {
    const network = new LanguageNetwork(architectureOf(CONFIGS['all layers have one']), 'core');
    network.seed = 4;
    const start = prompt(90, 5);
    const writer = { runner: new CacheRunner(engine, network), tokenizer, ends: [] };
    const [text] = await generate(writer, [start.join(' ')], { tokensToGenerate: 120, numBeams: 3 });
    const logits = await wholly(network, [...start, ...text.tokens]);
    const sum = text.tokens.reduce((sum, id, i) => {
      const values = logits[start.length + i - 1];
      return sum + values[id] - Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));
    }, 0);
    expect(Math.abs((text.score as number) - sum / text.tokens.length)).toBeLessThan(1e-4);
  });
}); // biome-ignore format: lines that read better
