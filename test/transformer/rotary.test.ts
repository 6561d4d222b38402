// Frequencies of stretched rotary positions against those of Hugging Face's transformers, from config.json and from NeMo's YAML.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configFromObject } from '../../src/config/index.js';
import { architectureOf, MegatronGPTModel } from '../../src/lm/index.js';
import { type RotaryOptions, rotaryAttentionFactor, rotaryFrequencies } from '../../src/transformer/index.js';

interface Case {
  readonly scaling: Readonly<Record<string, unknown>>;
  readonly size: number;
  readonly frequencies: readonly number[];
  readonly factor: number;
}

const cases = JSON.parse(
  readFileSync(new URL('../golden/rope_scaling.json', import.meta.url), 'utf8'),
) as readonly Case[];

describe.each(cases.map((each) => [JSON.stringify(each.scaling), each] as const))('%s', (_, expected) => {
  const check = (rotary: RotaryOptions | undefined): void => {
    const frequencies = rotaryFrequencies(rotary as RotaryOptions);
    expect(frequencies).toHaveLength(expected.frequencies.length);
    for (const [i, frequency] of frequencies.entries())
      expect(frequency / expected.frequencies[i]).toBeCloseTo(1, 5);
    expect(rotaryAttentionFactor(rotary as RotaryOptions)).toBeCloseTo(expected.factor, 6);
  };

  it('of a config.json', () => {
    check(
      architectureOf({
        model_type: 'llama', hidden_size: 64, num_attention_heads: 2, num_hidden_layers: 1, intermediate_size: 8, vocab_size: 8,
        max_position_embeddings: 256, rope_scaling: expected.scaling,
      }).rotary,
    ); // biome-ignore format: one call
  });

  it('of a YAML', () => {
    const node = configFromObject({
      hidden_size: 64, num_attention_heads: 2, num_layers: 1, encoder_seq_length: 16, position_embedding_type: 'rope',
      rope_scaling: expected.scaling, qk_layernorm: true, attn_logit_softcapping: 20, final_logit_softcapping: 30,
      tokenizer: { library: 'byte-level' },
    }); // biome-ignore format: a table
    const { options } = MegatronGPTModel.fromConfig(node).network;
    check(options.rotary);
    expect(options).toMatchObject({ normsQueries: true, softcap: 20, logitSoftcap: 30 });
  });
});
