// `anemone transcribe` of streams and of long recordings.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncDecCTCModel, EncDecHybridRNNTCTCBPEModelWithPrompt } from '../../src/asr/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { tinyModel, toneSpeech } from '../asr/support.js';
import { anemone } from './anemone.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-transcribe-cli-'));
const out = (name: string) => join(folder, name);
let expected = '';

beforeAll(async () => {
  const engine = new OnnxEngine({ threads: 1 });
  const { preprocessor, encoder } = tinyModel() as unknown as Record<string, object>;
  const config = tinyModel({
    target: 'nemo.collections.asr.models.EncDecCTCModel',
    preprocessor: { ...preprocessor, normalize: 'NA' },
    encoder: {
      ...encoder,
      causal_downsampling: true,
      conv_context_size: 'causal',
      att_context_style: 'chunked_limited',
      att_context_size: [8, 3],
    },
    decoder: { _target_: 'nemo.collections.asr.modules.ConvASRDecoder' },
    joint: undefined,
  });
  const model = EncDecCTCModel.fromConfig(config, { seed: 3, engine });
  await model.saveTo(out('model.nemo'));
  const samples = Float32Array.from(toneSpeech('abc a cab', 1), (x) => Math.round(x * 32767) / 32768);
  writeFileSync(out('a.wav'), encodeWav([samples], { sampleRate: 8000 }));
  expected = (await model.transcribe([samples]))[0].text;
  await engine.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const transcribe = (...args: string[]) => anemone('transcribe', out('model.nemo'), ...args);

describe('anemone transcribe', () => {
  it('--streaming tells what it knows, and ends with what the whole gives', async () => {
    const { code, out: text, err } = await transcribe(out('a.wav'), out('none.wav'), '--streaming');
    expect(text).toBe(`${out('a.wav')}\t${expected}\n`);
    const partials = err.split('\n').filter((line) => /^\d+\.\d\d s\t/.test(line));
    expect(partials.length).toBeGreaterThan(0);
    for (const line of partials) expect(expected.startsWith(line.split('\t')[1])).toBe(true);
    expect([code, err.includes('none.wav: no such file')]).toEqual([2, true]);
  });

  it('--streaming gives each recording its own prompt, or that of --target-lang', async () => {
    const engine = new OnnxEngine({ threads: 1 });
    const { preprocessor, encoder } = tinyModel() as unknown as Record<string, object>;
    const config = tinyModel({
      preprocessor: { ...preprocessor, normalize: 'NA' },
      encoder: {
        ...encoder,
        causal_downsampling: true,
        conv_context_size: 'causal',
        att_context_style: 'chunked_limited',
        att_context_size: [8, 3],
      },
      aux_ctc: { decoder: { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 } },
      model_defaults: { initialize_prompt_feature: true, num_prompts: 3, prompt_dictionary: { x: 0, y: 2 } },
    });
    const model = EncDecHybridRNNTCTCBPEModelWithPrompt.fromConfig(config, { seed: 3, engine });
    const promptWeights = model.stateDict().get('prompt_kernel.0.weight')!;
    const weights = (await engine.read(promptWeights)) as Float32Array;
    await engine.write(
      promptWeights,
      weights.map((weight) => 40 * weight),
    );
    await model.saveTo(out('prompts.nemo'));
    const texts = new Map<string, string>();
    for (const lang of ['x', 'y']) {
      const [{ text }] = await model.transcribe([out('a.wav')], { prompt: { target_lang: lang } });
      texts.set(lang, text);
    }
    await engine.dispose();
    expect(texts.get('x')).not.toBe(texts.get('y'));
    const heard = async (...args: string[]) =>
      (await anemone('transcribe', out('prompts.nemo'), ...args, '--streaming')).out;
    expect(await heard(out('a.wav'), '--target-lang', 'y')).toBe(`${out('a.wav')}\t${texts.get('y')}\n`);
    const line = { audio_filepath: 'a.wav', duration: 2.7, target_lang: 'x' };
    writeFileSync(out('x.json'), JSON.stringify(line));
    expect(await heard('--manifest', out('x.json'), '--target-lang', 'y')).toBe(
      `${out('a.wav')}\t${texts.get('x')}\n`,
    );
  });

  it('--chunk hears a part at a time', async () => {
    const { code, out: text } = await transcribe(out('a.wav'), '--chunk', '0.8', '--buffer', '1.6');
    expect([code, text.startsWith(`${out('a.wav')}\t`)]).toEqual([0, true]);
    expect(text.length).toBeGreaterThan(out('a.wav').length + 2);
  });

  it('names options that do not fit together', async () => {
    for (const [args, message] of [
      [['--buffer', '3'], 'needs --chunk'],
      [['--chunk', 'x'], 'expected seconds'],
      [['--chunk', '3', '--buffer', '2'], 'buffers of 2 s for chunks of 3 s'],
      [['--streaming', '--chunk', '3'], 'leave out --chunk'],
    ] as const) {
      const { code, err } = await transcribe(out('a.wav'), ...args);
      expect([code, err.includes(message)], err).toEqual([2, true]);
    }
  });
});
