// `anemone train` with the config of NeMo's train_asr_adapter.py: an archive gets an adapter, which alone is trained.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncDecRNNTModel, restoreModel, type SpeechModel } from '../../src/asr/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { tinyModel, toneSpeech } from '../asr/support.js';
import { anemone } from './anemone.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-adapt-'));
const out = (...parts: string[]) => join(folder, ...parts);
const config = out('adapt.yaml');

beforeAll(async () => {
  const rows = ['ab', 'ba', 'c a', 'bc'].map((text, i) => {
    const samples = toneSpeech(text, i);
    writeFileSync(out(`${i}.wav`), encodeWav([samples], { sampleRate: 8000 }));
    return JSON.stringify({ audio_filepath: `${i}.wav`, duration: samples.length / 8000, text });
  });
  writeFileSync(out('all.json'), `${rows.join('\n')}\n`);
  const engine = new OnnxEngine({ threads: 1 });
  const optim = { name: 'sgd', lr: 1, momentum: 0.9 };
  const model = EncDecRNNTModel.fromConfig(tinyModel({ target: 'EncDecRNNTModel', optim }), { engine });
  await model.saveTo(out('base.nemo'));
  await engine.dispose();
  const set = `{manifest_filepath: ${out('all.json')}, sample_rate: 8000, batch_size: 2, num_workers: 0}`;
  writeFileSync(
    config,
    `
name: adapted
model:
  pretrained_model: null
  nemo_model: ${out('base.nemo')}
  log_prediction: false
  adapter:
    adapter_name: ???
    adapter_type: linear
    adapter_module_name: null
    adapter_state_dict_name: adapters.pt
    linear:
      _target_: nemo.collections.common.parts.adapter_modules.LinearAdapter
      in_features: 16
      dim: 4
      adapter_strategy:
        _target_: nemo.core.classes.mixins.adapter_mixin_strategies.ResidualAddAdapterStrategy
        stochastic_depth: 0.0
        l2_lambda: 0.001
    global_cfg: {check_encoder_adapter: true}
  train_ds: ${set}
  validation_ds: ${set}
  optim: {name: adamw, lr: 0.01}
trainer: {max_epochs: 2, log_every_n_steps: 1, num_sanity_val_steps: 0, engine: {name: onnxruntime, threads: 1}}
exp_manager:
  exp_dir: ${folder}
  name: \${name}
  resume_if_exists: true
  resume_ignore_no_checkpoint: true
  checkpoint_callback_params: {monitor: val_wer, always_save_nemo: true}
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function weights(path: string): Promise<{ model: SpeechModel; values: Map<string, Buffer> }> {
  const engine = new OnnxEngine({ threads: 1 });
  try {
    const model = await restoreModel(path, { engine });
    const values = new Map<string, Buffer>();
    for (const [name, state] of model.stateDict()) {
      const { buffer, byteOffset, byteLength } = await engine.read(state);
      values.set(name, Buffer.from(new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength))));
    }
    return { model, values };
  } finally {
    await engine.dispose();
  }
}

describe('anemone train with an adapter', () => {
  it('trains it in the archive of a model, and leaves archive, checkpoint and a file of adapters', async () => {
    const { code, err } = await anemone('train', config, 'model.adapter.adapter_name=accent');
    expect(code, err).toBe(0);
    expect(err).toMatch(/step 4\/4/);
    expect(err).toMatch(/adapters: .*adapters\.pt/);
    const base = await weights(out('base.nemo'));
    const adapted = await weights(out('adapted/checkpoints/adapted.nemo'));
    expect(adapted.model.adapters.enabled).toEqual(['accent']);
    expect(adapted.model.config['adapters']).toMatchObject({ global_cfg: { check_encoder_adapter: true } });
    expect(adapted.model.config['optim']).toMatchObject({ name: 'adamw' });
    const changed = [...base.values].filter(([name, value]) => !adapted.values.get(name)?.equals(value));
    expect(changed.map(([name]) => name)).toEqual([]);
    const added = [...adapted.values.keys()].filter((name) => !base.values.has(name));
    expect(added).toHaveLength(4);
    const up = adapted.values.get('encoder.layers.0.adapter_layer.accent.module.3.weight');
    expect(up?.equals(Buffer.alloc(4 * 16 * 4))).toBe(false);
    expect(readFileSync(out('adapted/checkpoints/adapters.pt')).subarray(0, 2).toString()).toBe('PK');
  });

  it('goes on where it stopped, and the checkpoint is a whole model', async () => {
    const again = await anemone('train', config, 'model.adapter.adapter_name=accent', 'trainer.max_epochs=3');
    expect(again.code, again.err).toBe(0);
    expect(again.err).toMatch(/resumed from .* \(step 4\)/);
    const { code, out: text, err } = await anemone('validate', out('adapted'), '--json');
    expect(code, err).toBe(0);
    expect(JSON.parse(text)).toHaveProperty(['metrics', 'val/wer']);
  });

  it('puts a second one beside it, which is then the only one enabled', async () => {
    const nemo = out('adapted/checkpoints/adapted.nemo');
    const { code, err } = await anemone(
      'train', config, 'name=second', `model.nemo_model=${nemo}`, 'model.adapter.adapter_name=room',
      'model.adapter.adapter_module_name=decoder+joint', 'trainer.max_epochs=1',
    ); // biome-ignore format: one argument a word
    expect(code, err).toBe(0);
    const { model } = await weights(out('second/checkpoints/second.nemo'));
    expect(model.adapters.names).toEqual(['accent', 'room']);
    expect(model.adapters.enabled).toEqual(['room']);
    const twice = await anemone('train', config, 'name=third', `model.nemo_model=${nemo}`, 'model.adapter.adapter_name=accent'); // biome-ignore format: one line
    expect(twice).toMatchObject({ code: 2 });
    expect(twice.err).toMatch(/an adapter "accent" already/);
  });

  it('says what is wrong in a line', async () => {
    const name = 'model.adapter.adapter_name=x';
    const failing = async (...changes: string[]) =>
      (await anemone('train', config, name, 'name=wrong', ...changes)).err;
    expect(await failing('model.nemo_model=null')).toMatch(/needs a model.*anemone export/s);
    expect(await failing('model.nemo_model=null', 'model.pretrained_model=stt_en')).toMatch(/not downloaded/);
    expect(await failing('model.adapter.adapter_type=linea')).toMatch(
      /no section model.adapter.linea.*linear/s,
    );
    expect(await failing('+model.trainds=1')).toMatch(/trainds.*train_ds/s);
    expect(await failing('model.adapter.adapter_module_name=preprocessor')).toMatch(/no module for adapters/);
    expect((await anemone('train', config, 'name=wrong')).err).toMatch(/adapter_name/);
  });
});
