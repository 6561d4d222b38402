// A model whose tokenizer is an aggregate of two languages, all the way: trained, saved, resumed, judged, archived,
// restored, and used to transcribe.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restoreConfig, restoreModel } from '../../src/asr/index.js';
import { selectValue, toYaml } from '../../src/config/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { type AggregateTokenizer, trainTokenizerFolder } from '../../src/text/index.js';
import { tinyModel, toneSpeech } from '../asr/support.js';
import { anemone } from './anemone.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-agg-'));
const at = (...parts: string[]) => join(folder, ...parts);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = at('agg.yaml');
const texts = { en: ['ab', 'ba', 'c a'], es: ['cab', 'bc', 'b a'] };
const langs: Record<string, { dir: string; type: string }> = {};

beforeAll(() => {
  const rows: string[] = [];
  for (const [l, [lang, lines]] of Object.entries(texts).entries()) {
    // Of other sizes, so that files of one language in the other's place are noticed.
    const { dir } = trainTokenizerFolder({
      lines, dataRoot: at(lang), vocabSize: 5 + l, modelType: 'bpe', bosId: -1, eosId: -1,
    }); // biome-ignore format: one line reads better
    langs[lang] = { dir, type: 'bpe' };
    for (const [i, text] of lines.entries()) {
      const samples = toneSpeech(text, i);
      writeFileSync(at(`${lang}-${i}.wav`), encodeWav([samples], { sampleRate: 8000 }));
      const duration = samples.length / 8000;
      rows.push(JSON.stringify({ audio_filepath: at(`${lang}-${i}.wav`), duration, text, lang }));
    }
  }
  writeFileSync(at('all.json'), `${rows.join('\n')}\n`);
  const data = { manifest_filepath: at('all.json'), sample_rate: 8000, batch_size: 3, num_workers: 0 };
  const model = tinyModel({
    target: 'EncDecCTCModelBPE',
    labels: undefined,
    joint: undefined,
    decoder: { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 },
    tokenizer: { type: 'agg', langs },
    train_ds: data,
    validation_ds: data,
    optim: { name: 'adamw', lr: 0.01 },
  });
  writeFileSync(
    config,
    `${toYaml({ model })}
trainer: {max_epochs: 1, log_every_n_steps: 1, num_sanity_val_steps: 0, engine: {name: onnxruntime, threads: 1}}
exp_manager:
  exp_dir: ${folder}
  name: agg
  resume_if_exists: true
  resume_ignore_no_checkpoint: true
  checkpoint_callback_params: {monitor: val_wer, always_save_nemo: true}
`,
  );
});

describe('a model with an aggregate tokenizer', () => {
  it('trains and resumes', async () => {
    const first = await anemone('train', config);
    expect(first.code, first.err).toBe(0);
    const second = await anemone('train', config, 'trainer.max_epochs=2');
    expect(second.code, second.err).toBe(0);
    expect(second.err).toMatch(/resumed from .* \(step 2\)/);
  });

  it('says which line lacks its language', async () => {
    const line = JSON.stringify({ audio_filepath: at('en-0.wav'), duration: 0.6, text: 'ab' });
    writeFileSync(at('none.json'), `${line}\n`);
    const other = `model.train_ds.manifest_filepath=${at('none.json')}`;
    const { code, err } = await anemone('train', config, other, 'exp_manager.name=none');
    expect(code).toBe(2);
    expect(err).toMatch(/none\.json:1: .*language.*one of en, es/s);
    const checked = await anemone('manifest', 'check', at('none.json'), '--config', config);
    expect(checked.code).toBe(2);
    expect(checked.out).toMatch(/no lang; the tokenizer has en, es/);
  });

  it('is used from its checkpoint when the tokenizers are gone', async () => {
    rmSync(at('en'), { recursive: true });
    rmSync(at('es'), { recursive: true });
    const { code, out, err } = await anemone('validate', at('agg'), '--json');
    expect(code, err).toBe(0);
    expect(JSON.parse(out)).toHaveProperty(['metrics', 'val/wer']);
    const heard = await anemone('transcribe', at('agg'), at('en-0.wav'));
    expect(heard.code, heard.err).toBe(0);
    const exported = await anemone('export', at('agg'), at('exported.nemo'));
    expect(exported.code, exported.err).toBe(0);
  });

  it('is inspected, a text with its language', async () => {
    const chosen = await anemone('inspect', at('agg'), at('en-0.wav'), '--lang', 'en');
    expect(chosen.code, chosen.err).toBe(0);
    const bare = await anemone('inspect', at('agg'), at('en-0.wav'));
    expect(bare.code, bare.err).toBe(0);
    expect(bare.out).toContain('decoder.logprobs');
    const told = await anemone('inspect', at('agg'), at('en-0.wav'), '--text', 'ab', '--lang', 'en');
    expect(told.code, told.err).toBe(0);
    expect(told.out).toContain('loss.ctc');
    const mute = await anemone('inspect', at('agg'), at('en-0.wav'), '--text', 'ab');
    expect(mute.code).toBe(2);
    expect(mute.err).toMatch(/needs the language.*one of en, es/s);
  });

  it('is archived with both tokenizers, and restored', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    try {
      const path = at('agg/checkpoints/agg.nemo');
      const written = await restoreConfig(path);
      for (const lang of ['en', 'es']) {
        expect(selectValue(written, `model.tokenizer.langs.${lang}.model_path`)).toMatch(
          /^nemo:[0-9a-f]{32}_tokenizer\.model$/,
        );
      }
      const model = await restoreModel(path, { engine });
      const tokenizer = model.tokenizer as AggregateTokenizer;
      expect(tokenizer.langs).toEqual(['en', 'es']);
      expect(tokenizer.vocabSize).toBe(11);
      expect(tokenizer.textToIds('ab', 'es').every((id) => id >= 5)).toBe(true);
      // What was restored can be archived, and restored, again.
      await model.saveTo(at('again.nemo'));
      const again = await restoreModel(at('again.nemo'), { engine });
      expect(again.tokenizer.vocabulary).toEqual(tokenizer.vocabulary);
      const artifacts = await again.artifacts();
      expect([...artifacts.keys()]).toContain('es/tokenizer.model');
    } finally {
      await engine.dispose();
    }
    expect(
      readdirSync(at('agg/checkpoints')).filter((name) => name.endsWith('.ckpt')).length,
    ).toBeGreaterThan(0);
  });

  it('can be trained further from its archive', async () => {
    const tuned = at('tuned.yaml');
    writeFileSync(
      tuned,
      `
model:
  nemo_model: ${at('agg/checkpoints/agg.nemo')}
  adapter: {adapter_name: one, linear: {_target_: LinearAdapter, dim: 2}}
  train_ds: {manifest_filepath: ${at('all.json')}, batch_size: 3, num_workers: 0}
  optim: {name: adamw, lr: 0.01}
trainer: {max_epochs: 1, engine: {name: onnxruntime, threads: 1}}
exp_manager: {exp_dir: ${folder}, name: tuned, resume_if_exists: true, resume_ignore_no_checkpoint: true}
`,
    );
    const { code, err } = await anemone('train', tuned);
    expect(code, err).toBe(0);
    const heard = await anemone('transcribe', at('tuned'), at('en-0.wav'));
    expect(heard.code, heard.err).toBe(0);
  });
});
