// A language model that is restored and tuned on prompts and answers: what is trained, what checkpoints and archives hold, and
// how adapters come from and go to folders of Hugging Face's PEFT.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFromConfig } from '../../src/asr/index.js';
import { createDefaultContainer } from '../../src/composition.js';
import { configFromObject } from '../../src/config/index.js';
import { int32, OnnxEngine } from '../../src/engine/index.js';
import { memorySource, readSafetensors } from '../../src/formats/index.js';
import { MegatronGPTModel, MegatronGPTSFTModel, restoreLanguageModel } from '../../src/lm/index.js';
import { evaluationPass } from '../../src/nn/index.js';
import { resolveCheckpoint, restoreWeights, Trainer } from '../../src/training/index.js';

const folder = mkdtempSync(join(tmpdir(), 'sft-'));
afterAll(() => rmSync(folder, { recursive: true }));
const base = join(folder, 'base.nemo');
const rows = join(folder, 'rows.jsonl');
const questions = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'ff'];
writeFileSync(
  rows,
  questions.map((input) => JSON.stringify({ input: `${input}?`, output: input.toUpperCase() })).join('\n'),
);

const gpt = {
  encoder_seq_length: 48, num_layers: 2, hidden_size: 32, num_attention_heads: 4, num_query_groups: 2, init_method_std: 0.2,
  activation: 'swiglu', bias: false, normalization: 'rmsnorm', position_embedding_type: 'rope', mcore_gpt: true,
  share_embeddings_and_output_weights: false, tokenizer: { library: 'byte-level' },
}; // biome-ignore format: a table

beforeAll(async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const model = MegatronGPTModel.fromConfig(configFromObject(gpt), { engine, seed: 2 });
  await model.saveTo(base, { engine });
  await engine.dispose();
});

const section = (more: object = {}, data: object = {}) => ({
  restore_from_path: base,
  micro_batch_size: 2,
  global_batch_size: 4,
  peft: { peft_scheme: 'lora', lora_tuning: { adapter_dim: 4, alpha: 8, target_modules: ['all'] } },
  data: {
    train_ds: { file_names: [rows], max_seq_length: 24, ...data },
    validation_ds: { file_names: [rows], max_seq_length: 24, ...data },
  },
  optim: { name: 'adamw', lr: 0.02, weight_decay: 0 },
  ...more,
});
const options = { max_steps: 30, max_epochs: -1, val_check_interval: 30, check_val_every_n_epoch: null, num_sanity_val_steps: 0 } as const; // biome-ignore format: one line

async function opened(more: object = {}, data: object = {}, trainerOptions: object = {}) {
  const trainer = new Trainer({ ...options, ...trainerOptions }, { container: createDefaultContainer(), ...(trainerOptions as { folder?: string }) }); // biome-ignore format: one line
  const config = configFromObject({ model: section(more, data) });
  return { trainer, model: (await createFromConfig(config, trainer)) as unknown as MegatronGPTSFTModel };
}

async function logitsOf(model: MegatronGPTSFTModel, trainer: Trainer): Promise<Float32Array> {
  const program = trainer.engine.compile('logits', ({ tokens }) => ({
    logits: model.network.logits({ tokens }, evaluationPass),
  }));
  const out = await program.run({
    tokens: int32(
      Array.from({ length: 16 }, (_, i) => 60 + i),
      [1, 16],
    ),
  });
  return Float32Array.from(out['logits'].data as Float32Array);
}
const apart = (a: Float32Array, b: Float32Array): number => a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0); // biome-ignore format: one line

describe('a run with LoRA', () => {
  it('learns answers alone, keeps the adapter alone, and answers again when it is restored', async () => {
    const { trainer, model } = await opened();
    const untouched = await logitsOf(model, trainer);
    const optimized: string[] = [...model.parameters()].filter((p) => p.trainable).map(({ name }) => name);
    expect(optimized.every((name) => name.includes('.adapter_layer.lora.'))).toBe(true);
    const before = (await trainer.validate(model)).metrics['val/loss'] as number;
    const { checkpoint } = await trained(trainer, model, join(folder, 'run'));
    const after = (await trainer.validate(model)).metrics['val/loss'] as number;
    expect(after).toBeLessThan(0.3 * before);
    for (const file of ['weights', 'optimizer']) {
      const bytes = readFileSync(join(checkpoint, `${file}.safetensors`));
      const names = [...(await readSafetensors(memorySource(bytes, file))).tensors.keys()];
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !name.includes('.adapter_layer.lora.'))).toEqual([]);
    }
    const logits = await logitsOf(model, trainer);
    expect(apart(logits, untouched)).toBeGreaterThan(0.1);
    // From the checkpoint's own config, which knows the base by its digest.
    const found = await resolveCheckpoint(checkpoint);
    const config = await found.config();
    const again = new Trainer({}, { container: createDefaultContainer() });
    const restored = (await createFromConfig(config, again)) as unknown as MegatronGPTSFTModel;
    await restoreWeights(found, restored, again.engine);
    expect(await logitsOf(restored, again)).toEqual(logits);
    // From an archive of the adapter.
    const archive = join(folder, 'adapter.nemo');
    await model.saveTo(archive, { engine: trainer.engine });
    expect(statSync(archive).size).toBeLessThan(statSync(base).size);
    const unpacked = await MegatronGPTSFTModel.restore(archive, again);
    expect(await logitsOf(unpacked, again)).toEqual(logits);
    // Merged, it computes the same without the adapter.
    const words = await model.generate(['bb?'], { engine: trainer.engine, tokensToGenerate: 4 });
    expect(words[0].text.trim()).toBe('BB');
    await model.mergeAdapters(undefined, { engine: trainer.engine });
    expect([...model.stateDict().keys()].some((name) => name.includes('adapter_layer'))).toBe(false);
    expect(apart(await logitsOf(model, trainer), logits)).toBeLessThan(1e-4);
    // And its archive is that of a plain model, which needs no base.
    const merged = join(folder, 'merged.nemo');
    await model.saveTo(merged, { engine: trainer.engine });
    const plain = await restoreLanguageModel(merged, again);
    expect(plain).toBeInstanceOf(MegatronGPTModel);
    const answers = await plain.generate(['bb?'], { engine: again.engine, tokensToGenerate: 4 });
    expect(answers[0].tokens).toEqual(words[0].tokens);
    await again.dispose();
    await trainer.dispose();
  });

  it('on another base than it was trained on is refused', async () => {
    await expect(opened({ restore_from_digest: 'f'.repeat(64) })).rejects.toThrow(/another model/);
  });
});

describe('rows', () => {
  it('packed or not, in batches of one or four, give one loss', async () => {
    const losses: number[] = [];
    for (const [more, data] of [
      [{}, {}],
      [{}, { packed_sequence: true }],
      [{ micro_batch_size: 1 }, { packed_sequence: true, max_seq_length: 40 }],
      [{ micro_batch_size: 4 }, { max_seq_length: 40 }],
    ]) {
      const { trainer, model } = await opened(more, data);
      losses.push((await trainer.validate(model)).metrics['val/loss'] as number);
      await trainer.dispose();
    }
    for (const loss of losses) expect(loss).toBeCloseTo(losses[0], 5);
  });

  it.each([
    [
      '{"input": "a", "output": " "}',
      /rows2.jsonl:1.*nothing of this row would be learned: "output" is empty/,
    ],
    ['{"input": "a"}', /rows2.jsonl:1.*no text under "output"/],
    ['[1]', /a line must be a mapping/],
    ['{"input": "abc", ', /rows2.jsonl:1/],
    ['{"messages": [{"role": "user", "content": "hi"}]}', /no chat template/],
    ['', /there are no rows/],
  ])('such as %s are refused before the first step', async (line, message) => {
    const path = join(folder, 'rows2.jsonl');
    writeFileSync(path, line);
    const { trainer, model } = await opened({}, { file_names: [path] });
    await expect(trainer.fit(model, { test: [] })).rejects.toThrow(message);
    await trainer.dispose();
  });

  it('whose prompt fills the sample are refused, unless it may be shortened', async () => {
    const path = join(folder, 'long.jsonl');
    writeFileSync(path, JSON.stringify({ input: 'x'.repeat(60), output: 'yes' }));
    const long = await opened({}, { file_names: [path], truncation_field: null });
    await expect(long.model.trainingSource()).rejects.toThrow(
      /24 tokens hold the prompt, and nothing of the answer/,
    );
    const short = await opened({}, { file_names: [path] });
    const source = await short.model.trainingSource();
    for await (const batch of source?.epoch(0) ?? []) expect(batch.units).toBe(' yes'.length + 1);
    await long.trainer.dispose();
    await short.trainer.dispose();
  });
});

describe('folders of PEFT', () => {
  it.each(['nemo', 'canonical'])(
    'hold an adapter of the %s variant, which comes back bit for bit',
    async (variant) => {
      const lora_tuning = { adapter_dim: 3, alpha: 6, variant, target_modules: ['all'], layer_selection: [2], row_init_method: 'normal' }; // biome-ignore format: one line
      const { trainer, model } = await opened({ peft: { peft_scheme: 'lora', lora_tuning } });
      const logits = await logitsOf(model, trainer);
      const out = join(folder, `peft-${variant}`);
      await model.savePeft(out, { engine: trainer.engine });
      expect(readdirSync(out).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
      const config = JSON.parse(readFileSync(join(out, 'adapter_config.json'), 'utf8')) as Record<
        string,
        unknown
      >;
      expect(config).toMatchObject({ r: 3, lora_alpha: 6, layers_to_transform: [1] });
      const back = await opened({ peft: { peft_scheme: 'lora', restore_from_path: out } });
      expect(apart(await logitsOf(back.model, back.trainer), logits)).toBeLessThan(1e-5);
      const again = join(folder, `again-${variant}`);
      await back.model.savePeft(again, { engine: back.trainer.engine });
      const file = 'adapter_model.safetensors';
      expect(readFileSync(join(again, file)).equals(readFileSync(join(out, file)))).toBe(true);
      await trainer.dispose();
      await back.trainer.dispose();
    },
  );
});

async function trained(
  trainer: Trainer,
  model: MegatronGPTSFTModel,
  run: string,
): Promise<{ checkpoint: string }> {
  const { expManager } = await import('../../src/training/index.js');
  const folder = await expManager(trainer, { explicit_log_dir: run, create_checkpoint_callback: true });
  await trainer.fit(model, { test: [] });
  return { checkpoint: (await resolveCheckpoint(folder as string)).path };
}
