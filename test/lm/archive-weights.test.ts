// Names and parts of weights in NeMo's GPT archives.
import { describe, expect, it } from 'vitest';
import type { SafeTensor } from '../../src/formats/index.js';
import { archiveWeights } from '../../src/lm/archive-weights.js';

const file = (tensors: Readonly<Record<string, readonly number[]>>) => ({
  name: 'model_weights.ckpt',
  entries: new Map(Object.entries(tensors).map(([name, values]) => [name, { dtype: 'F32' as const, shape: [values.length, 1] }])),
  read: async (name: string): Promise<SafeTensor> => ({ dtype: 'F32', shape: [tensors[name].length, 1], data: Float32Array.from(tensors[name]) }),
}); // biome-ignore format: short

describe('weights of a GPT archive', () => {
  it('of Megatron core are found without and with Transformer Engine, and inside Float16Module', () => {
    const layer = 'model.module.decoder.layers.3';
    const { entries } = archiveWeights(
      file({
        [`${layer}.input_layernorm.weight`]: [1],
        [`${layer}.pre_mlp_layernorm.bias`]: [1],
        [`${layer}.self_attention.linear_qkv._extra_state`]: [1],
        'model.decoder.layers.0.mlp.linear_fc1.layer_norm_weight': [1],
        'model.embedding.word_embeddings.weight': [1],
      }),
      true,
    );
    expect([...entries.keys()]).toEqual([
      'model.decoder.layers.3.self_attention.linear_qkv.layer_norm_weight',
      'model.decoder.layers.3.mlp.linear_fc1.layer_norm_bias',
      'model.decoder.layers.0.mlp.linear_fc1.layer_norm_weight',
      'model.embedding.word_embeddings.weight',
    ]);
  });

  it('of NeMo before it have norms under their own names, gates apart, and frequencies that are none', async () => {
    const layer = 'model.language_model.encoder.layers.0';
    const weights = archiveWeights(
      file({
        [`${layer}.input_layernorm.weight`]: [1],
        [`${layer}.mlp.dense_h_to_4h.weight`]: [2, 3],
        [`${layer}.mlp.dense_h_to_4h_2.weight`]: [4, 5],
        'model.language_model.rotary_pos_emb.inv_freq': [9],
      }),
      false,
    );
    expect([...weights.entries]).toEqual([
      [`${layer}.input_layernorm.weight`, { dtype: 'F32', shape: [1, 1] }],
      [`${layer}.mlp.dense_h_to_4h.weight`, { dtype: 'F32', shape: [4, 1] }],
    ]);
    expect([...(await weights.read(`${layer}.mlp.dense_h_to_4h.weight`)).data]).toEqual([2, 3, 4, 5]);
  });
});
