// MegatronGPTModel from a config: trained, saved, restored, resumed; what it generates; what its config may say.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createFromConfig } from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { configFromObject, loadConfig } from '../../src/config/index.js';
import { float32, int32, OnnxEngine } from '../../src/engine/index.js';
import { MegatronGPTModel, nextToken, restoreLanguageModel } from '../../src/lm/index.js';
import type { BatchSource } from '../../src/model/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { Callback, expManager, Trainer, type TrainingRun } from '../../src/training/index.js';

const folder = mkdtempSync(join(tmpdir(), 'gpt-'));
afterAll(() => rmSync(folder, { recursive: true }));
const corpus = join(folder, 'corpus.txt');
writeFileSync(corpus, 'the cat sat on the mat. the dog sat on the log.\n'.repeat(120));

const section = (more: object = {}) => ({
  micro_batch_size: 2,
  global_batch_size: 4,
  encoder_seq_length: 24,
  num_layers: 2,
  hidden_size: 32,
  num_attention_heads: 4,
  hidden_dropout: 0.1,
  attention_dropout: 0.1,
  tokenizer: { library: 'byte-level' },
  data: { data_prefix: [corpus] },
  optim: { name: 'fused_adam', lr: 3e-3, weight_decay: 0.01 },
  ...more,
});
const options = { max_steps: 12, max_epochs: -1, val_check_interval: 6, limit_val_batches: 3, check_val_every_n_epoch: null, gradient_clip_val: 1 } as const; // biome-ignore format: one line

async function trained(more: object, trainerOptions: object, fit: object = {}) {
  const trainer = new Trainer({ ...options, ...trainerOptions }, { container: createDefaultContainer() });
  const model = (await createFromConfig(
    configFromObject({ model: section(more) }),
    trainer,
  )) as MegatronGPTModel;
  const result = await trainer.fit(model, { test: [], ...fit });
  return { trainer, model, result };
}

describe('a run', () => {
  it('learns, is saved as .nemo, and comes back with the same perplexity and the same words', async () => {
    const { trainer, model } = await trained({}, { max_steps: 40 });
    const { metrics } = await trainer.validate(model);
    expect(metrics['val/perplexity']).toBeLessThan(40);
    expect(metrics['val/perplexity']).toBeCloseTo(Math.exp(metrics['val/loss'] as number), 6);
    // A byte is a token here, but for the ends of documents.
    expect(metrics['val/bits_per_byte']).toBeCloseTo((metrics['val/loss'] as number) / Math.LN2, 1);
    const path = join(folder, 'gpt.nemo');
    await model.saveTo(path, { engine: trainer.engine });
    const words = await model.generate(['the cat'], { engine: trainer.engine, tokensToGenerate: 12 });
    const engine = new OnnxEngine({ threads: 1 });
    const again = await restoreLanguageModel(path, { engine, log: () => {} });
    expect(await again.generate(['the cat'], { engine, tokensToGenerate: 12 })).toEqual(words);
    expect(words[0].text.length).toBeGreaterThan(0);
    await engine.dispose();
    await trainer.dispose();
  });

  it('of micro-batches gives the weights of whole batches', async () => {
    const weights = async (micro: number) => {
      const off = { hidden_dropout: 0, attention_dropout: 0, micro_batch_size: micro };
      const { trainer, model } = await trained(off, { max_steps: 3, limit_val_batches: 0 });
      const value = await trainer.engine.read(model.network.table);
      await trainer.dispose();
      return value;
    };
    const [single, whole] = [await weights(1), await weights(4)];
    single.forEach((value, i) => {
      expect(Math.abs((value as number) - (whole[i] as number))).toBeLessThan(2e-4);
    });
  });
});

describe.each([
  [
    'alibi of three heads in one group, a window',
    { position_embedding_type: 'alibi', num_attention_heads: 3, num_query_groups: 1, kv_channels: 16, window_size: [6, 0] }, // biome-ignore format: one line
  ],
  [
    'normformer, scaled heads, alibi',
    { transformer_block_type: 'normformer', headscale: true, position_embedding_type: 'alibi', normalization: 'layernorm1p', activation: 'swiglu', bias_activation_fusion: false }, // biome-ignore format: one line
  ],
] as const)('a config with %s', (_, more) => {
  it('is trained, saved as .nemo, restored, and goes on as the whole network would', async () => {
    const { trainer, model } = await trained(more, { max_steps: 12, limit_val_batches: 0 });
    const { metrics } = await trainer.validate(model);
    expect(metrics['val/perplexity']).toBeLessThan(100);
    const path = join(folder, 'kind.nemo');
    await model.saveTo(path, { engine: trainer.engine });
    const engine = new OnnxEngine({ threads: 1 });
    const again = await restoreLanguageModel(path, { engine, log: () => {} });
    const [prompts, asked] = [['the cat', 'a'], { tokensToGenerate: 12, minTokens: 12 }];
    const words = await again.generate(prompts, { ...asked, engine });
    expect(words).toEqual(await model.generate(prompts, { ...asked, engine: trainer.engine }));
    const logits = engine.compile('logits', ({ tokens }) => ({ logits: again.network.logits({ tokens }, evaluationPass) })); // biome-ignore format: one line
    for (const [i, prompt] of prompts.entries()) {
      const ids = again.tokenizer.textToIds(prompt);
      for (const token of words[i].tokens) {
        const out = await logits.run({ tokens: int32(ids, [1, ids.length]) });
        const last = (out['logits'].data as Float32Array).slice(-out['logits'].shape[2]).slice(0, 256);
        expect(last[token]).toBeCloseTo(Math.max(...last), 4);
        ids.push(token);
      }
    }
    await engine.dispose();
    await trainer.dispose();
  });
});

describe('generation', () => {
  const engine = new OnnxEngine({ threads: 1 });
  afterAll(() => engine.dispose());
  const model = MegatronGPTModel.fromConfig(configFromObject(section({ init_method_std: 0.5 })), {
    engine,
    seed: 3,
  });

  it('gives the likeliest tokens of the whole network, of prompts of unequal lengths together or alone', async () => {
    const prompts = ['a', 'the mat', 'dog on'];
    const together = await model.generate(prompts, { tokensToGenerate: 8 });
    const logits = engine.compile('logits', ({ tokens }) => ({ logits: model.network.logits({ tokens }, evaluationPass) })); // biome-ignore format: one line
    for (const [i, prompt] of prompts.entries()) {
      const ids = model.tokenizer.textToIds(prompt);
      for (const token of together[i].tokens) {
        const out = await logits.run({ tokens: int32(ids, [1, ids.length]) });
        const rows = out['logits'].shape[2];
        const last = (out['logits'].data as Float32Array).slice((ids.length - 1) * rows).slice(0, 259);
        expect(last[token]).toBeCloseTo(Math.max(...last), 4);
        ids.push(token);
      }
      expect((await model.generate([prompt], { tokensToGenerate: 8 }))[0]).toEqual(together[i]);
    }
  });

  it('draws the same for a seed, whatever is beside it, and ends at a stop text or where positions end', async () => {
    const drawn = { temperature: 1.5, topK: 20, seed: 5, tokensToGenerate: 10 };
    const [one] = await model.generate(['the mat'], drawn);
    expect((await model.generate(['x', 'the mat'], drawn))[1]).toEqual(one);
    expect((await model.generate(['the mat'], { ...drawn, seed: 6 }))[0].tokens).not.toEqual(one.tokens);
    const stop = one.text[4];
    const ended = (await model.generate(['the mat'], { ...drawn, stop: [stop] }))[0];
    expect(ended).toMatchObject({ reason: 'stop', text: one.text.slice(0, one.text.indexOf(stop)) });
    const full = (await model.generate(['the mat'], { ...drawn, tokensToGenerate: 100, minTokens: 100 }))[0];
    expect(full).toMatchObject({ reason: 'length' });
    expect(full.tokens).toHaveLength(24 - 7);
  });

  it('streams what it returns', async () => {
    let text = '';
    const [whole] = await model.generate(['mat'], { tokensToGenerate: 15, temperature: 2, onText: (_, added) => { text += added; } }); // biome-ignore format: one line
    expect(text).toBe(whole.text);
  });

  it('refuses prompts that do not fit', async () => {
    await expect(model.generate(['x'.repeat(24)])).rejects.toThrow(/24 tokens/);
  });
});

describe('sampling', () => {
  const logits = () => Float32Array.from([1, 4, 3, 2]);
  const shares = (more: object) => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 4000; i++) counts[nextToken(logits(), { temperature: 1, ...more }, [1], i)]++;
    return counts.map((count) => count / 4000);
  };
  const softmax = (values: number[]) => {
    const total = values.reduce((sum, v) => sum + Math.exp(v), 0);
    return values.map((v) => Math.exp(v) / total);
  };

  it.each([
    ['all', {}, softmax([1, 4, 3, 2])],
    ['a temperature', { temperature: 2 }, softmax([0.5, 2, 1.5, 1])],
    ['top-k', { topK: 2 }, [0, ...softmax([4, 3]), 0]],
    ['top-p', { topP: 0.7 }, [0, ...softmax([4, 3]), 0]],
    ['a penalty', { repetitionPenalty: 2 }, softmax([1, 2, 3, 2])],
  ])('draws from %s', (_, more, expected) => {
    shares(more).forEach((share, i) => {
      expect(Math.abs(share - expected[i])).toBeLessThan(0.03);
    });
  });

  it('takes the likeliest where nothing says how to draw', () => {
    expect(nextToken(logits(), {}, [], 0)).toBe(1);
  });
});

describe('a config', () => {
  it('is NeMo’s own, without a key that has no effect', () => {
    const path = join(import.meta.dirname, '../../conf/lm/megatron_gpt_config.yaml');
    const config = loadConfig(path, [
      `model.data.data_prefix=${corpus}`,
      'model.tokenizer.library=byte-level',
    ]);
    const warnings: string[] = [];
    const model = MegatronGPTModel.fromConfig(config['model'] as never, {
      log: (line) => void warnings.push(line),
    });
    expect(warnings).toEqual([]);
    // 12 layers of 12 d² weights, 9 d biases and 4 d of norms; 384 rows of the table, 512 positions, the last norm.
    const d = 768;
    expect(model.parameterCount()).toBe(12 * (12 * d * d + 13 * d) + (384 + 512) * d + 2 * d);
    expect(readFileSync(path, 'utf8')).toContain('fused_adam');
  });

  it.each([
    [{ num_attention_heads: 5 }, /num_attention_heads/],
    [{ num_query_groups: 3 }, /num_query_groups/],
    [{ global_batch_size: 5 }, /global_batch_size/],
    [{ max_position_embeddings: 8 }, /max_position_embeddings/],
    [{ position_embedding_type: 'kerple' }, /position_embedding_type/],
    [{ position_embedding_type: 'alibi', attn_logit_softcapping: 30 }, /attn_logit_softcapping/],
    [{ transformer_block_type: 'normformer', mcore_gpt: true }, /transformer_block_type/],
    [{ headscale: true, mcore_gpt: true }, /headscale/],
    [{ hiden_size: 32 }, /hidden_size/],
    [{ tokenizer: { library: 'sentencepiece' } }, /model.tokenizer.model/],
  ])('that is wrong says where: %j', (more, expected) => {
    const make = () => MegatronGPTModel.fromConfig(configFromObject(section(more)));
    expect(make).toThrow(expected);
  });

  it('names keys that have no effect', () => {
    const lines: string[] = [];
    MegatronGPTModel.fromConfig(configFromObject(section({ tensor_model_parallel_size: 2 })), {
      log: (line) => void lines.push(line),
    });
    expect(lines.join()).toMatch(/tensor_model_parallel_size/);
  });

  it('lets norms and biases not decay', () => {
    const model = MegatronGPTModel.fromConfig(
      configFromObject(section({ bias: false, normalization: 'rmsnorm' })),
    );
    expect(model.config['optim_param_groups']).toEqual({ '*norm.weight': { weight_decay: 0 } });
  });

  it('lets no norm of NormFormer decay, whatever it is called', () => {
    const model = MegatronGPTModel.fromConfig(
      configFromObject(section({ transformer_block_type: 'normformer', headscale: true })),
    );
    expect(model.config['optim_param_groups']).toEqual({
      '*norm.weight': { weight_decay: 0 },
      '*.normalization.weight': { weight_decay: 0 },
      '*.bias': { weight_decay: 0 },
    });
    // The names and shapes that NeMo's layers give them.
    const layer = 'model.language_model.encoder.layers.1';
    const shapes = new Map([...model.parameters()].map(({ name, shape }) => [name, shape]));
    expect(shapes.get(`${layer}.self_attention.head_scale_tensor`)).toEqual([1, 4, 1, 1]);
    expect(shapes.get(`${layer}.post_attention_normformer_norm.bias`)).toEqual([32]);
    expect(shapes.get(`${layer}.mlp.normalization.weight`)).toEqual([128]);
  });

  it('has layer norms without biases where NeMo has them: low precision, and no biases of maps', () => {
    const names = (bias: boolean) => [...MegatronGPTModel.fromConfig(configFromObject(section({ bias, normalization: 'low_precision_layernorm' }))).parameters()].map(({ name }) => name); // biome-ignore format: one line
    expect(names(false).filter((name) => name.endsWith('.bias'))).toEqual([]);
    expect(names(true).some((name) => name.endsWith('final_layernorm.bias'))).toBe(true);
  });
});

describe('the length of a run and the size of its steps', () => {
  const steps = async (more: object, trainerOptions: object) => {
    const sizes: number[] = [];
    const { trainer, model, result } = await trained(
      { ...more, hidden_dropout: 0, attention_dropout: 0 },
      { max_steps: -1, limit_val_batches: 0, ...trainerOptions },
      { callbacks: [] },
    );
    const { totalSteps } = await trainer.plan(model);
    const { compilations } = trainer.engine.stats;
    await trainer.dispose();
    return { sizes, totalSteps, result, compilations };
  };

  it.each([
    [{ max_samples: 18 }, {}, 5, 'max_samples=18 reached'],
    [{ max_tokens: 4 * 24 * 3 }, {}, 3, 'max_tokens=288 reached'],
    [{ max_tokens: 4 * 24 * 3 + 1 }, {}, 4, 'max_tokens=289 reached'],
    [{ max_samples: 100, max_steps: 2 }, {}, 2, 'max_steps=2 reached'],
    // 2, 2, 4, 4, 6, 8 samples: two more after every four.
    [
      { max_samples: 26 },
      { global_batch_size: 8, rampup_batch_size: [2, 2, 12] },
      6,
      'max_samples=26 reached',
    ],
  ] as const)('of %j with %j is %i steps', async (options, more, count, reason) => {
    const { result, totalSteps, compilations } = await steps(more, options);
    expect(result.outcome).toEqual({ kind: 'finished', reason });
    expect(result.progress.step).toBe(count);
    expect(totalSteps).toBe(count);
    // Programs are made once: one that measures the rate of products, one for gradients and one for the update, and for
    // steps of one batch one for both.
    expect(compilations).toBe('rampup_batch_size' in more ? 4 : 3);
  });

  it('of steps that grow is resumed where it was', async () => {
    const growing = {
      global_batch_size: 8,
      rampup_batch_size: [2, 2, 12],
      hidden_dropout: 0,
      attention_dropout: 0,
    };
    const whole = await trained(growing, { max_steps: 7, limit_val_batches: 0 });
    const value = await whole.trainer.engine.read(whole.model.network.table);
    const run = join(folder, 'growing');
    const part = async (max_steps: number) => {
      const trainer = new Trainer({ ...options, max_steps, limit_val_batches: 0 }, { container: createDefaultContainer() }); // biome-ignore format: one line
      await expManager(trainer, {
        explicit_log_dir: run,
        resume_if_exists: true,
        resume_ignore_no_checkpoint: true,
      });
      const model = (await createFromConfig(configFromObject({ model: section(growing) }), trainer)) as MegatronGPTModel; // biome-ignore format: one line
      await trainer.fit(model, { test: [] });
      const table = await trainer.engine.read(model.network.table);
      await trainer.dispose();
      return table;
    };
    await part(3);
    expect(await part(7)).toEqual(value);
    await whole.trainer.dispose();
  });

  it.each([
    [[4, 2], /expected three numbers/],
    [[3, 2, 10], /do not lead from 3 to 8/],
    [[2, 4, 10], /do not lead from 2 to 8/],
    [[2, 2, 2], /too few to grow 3 times/],
  ])('that grows by %j is refused', (rampup_batch_size, message) => {
    const node = configFromObject(section({ global_batch_size: 8, rampup_batch_size }));
    expect(() => MegatronGPTModel.fromConfig(node)).toThrow(message);
  });
});

describe('the log of a run', () => {
  it('tells how much of the rate of products is used, counted from the graph', async () => {
    const rows: Record<string, number>[] = [];
    class Rows extends Callback {
      readonly name = 'rows';
      override async onStep(run: TrainingRun): Promise<void> {
        rows.push({ ...run.metrics });
      }
    }
    const trainer = new Trainer({ ...options, max_steps: 2, limit_val_batches: 0, log_every_n_steps: 1 }, { container: createDefaultContainer(), callbacks: [new Rows()] }); // biome-ignore format: one line
    const model = (await createFromConfig(
      configFromObject({ model: section() }),
      trainer,
    )) as MegatronGPTModel;
    await trainer.fit(model, { test: [] });
    await trainer.dispose();
    const last = rows.at(-1) as Record<string, number>;
    expect(last['train/gemm_share']).toBeGreaterThan(0);
    // Tokens of 4 samples: forward, and two products backward for each forward, of maps and head; attention comes on top.
    const products = 2 * (12 * 32 * 32) + 32 * 384;
    const least = 6 * 4 * 24 * products;
    const perToken = (last['train/gflops_per_second'] * 1e9) / last['train/units_per_second'];
    expect(perToken * 4 * 24).toBeGreaterThan(least);
    expect(perToken * 4 * 24).toBeLessThan(1.5 * least);
  });

  it('counts batches in which nothing is to be predicted, which are not computed', async () => {
    const trainer = new Trainer({ ...options, max_steps: 2, limit_val_batches: 0 }, { container: createDefaultContainer() }); // biome-ignore format: one line
    const micro = { micro_batch_size: 4, hidden_dropout: 0, attention_dropout: 0 };
    const model = (await createFromConfig(configFromObject({ model: section(micro) }), trainer)) as MegatronGPTModel; // biome-ignore format: one line
    const source = (await model.trainingSource()) as BatchSource;
    const emptied: BatchSource = {
      name: 'emptied',
      batchesInEpoch: () => source.batchesInEpoch(0),
      async *epoch(epoch: number, from = 0) {
        for await (const batch of source.epoch(epoch, from)) {
          const lossMask = float32(new Float32Array(4 * 24), [4, 24]);
          yield { ...batch, inputs: { ...batch.inputs, lossMask }, targets: 0, units: 0 };
        }
      },
      gauges: () => ({}),
      close: async () => {},
    };
    const before = Float32Array.from((await trainer.engine.read(model.network.table)) as Float32Array);
    const { progress } = await trainer.fit(model, { train: emptied, test: [] });
    expect(progress.emptyBatches).toBe(2);
    expect(trainer.engine.stats.runs).toBe(0);
    expect(await trainer.engine.read(model.network.table)).toEqual(before);
    await trainer.dispose();
  });
});
