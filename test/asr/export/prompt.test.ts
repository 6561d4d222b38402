// The hybrid model with prompts as ONNX files: with each prompt they give what NeMo's model gives (its own export leaves the
// prompt's layers out), for whole utterances and for streams.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EncDecHybridRNNTCTCBPEModelWithPrompt } from '../../../src/asr/index.js';
import { float32, int32, OnnxEngine } from '../../../src/engine/index.js';
import { evaluationPass } from '../../../src/nn/index.js';
import { maxDifference, randomTensor } from '../../nn/support.js';
import { tinyModel } from '../support.js';
import { int64, inWindows, readMetadata } from './support.js';

const fixtures = join(import.meta.dirname, '../../fixtures/nemo');
const facts = JSON.parse(readFileSync(join(fixtures, 'prompt-hybrid.json'), 'utf8')) as {
  readonly prompts: Readonly<Record<string, number>>;
  readonly encoded: Readonly<Record<string, number[]>>;
  readonly texts: Readonly<Record<string, string>>;
};
const languages = Object.keys(facts.prompts);
const samples = Float32Array.from({ length: 4800 }, (_, i) => Math.sin(i ** 1.3 / 40) * 0.3);
const folder = mkdtempSync(join(tmpdir(), 'anemone-export-prompt-'));
const engine = new OnnxEngine({ threads: 1 });
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true });
});
const load = (file: string) =>
  ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });

let model: EncDecHybridRNNTCTCBPEModelWithPrompt;
beforeAll(async () => {
  const archive = join(fixtures, 'prompt-hybrid.nemo');
  model = await EncDecHybridRNNTCTCBPEModelWithPrompt.restoreFrom(archive, { engine });
});

/** The fixture's recording once for each prompt. */
function batch(): Record<string, ort.Tensor> {
  const waves = languages.map(() => samples);
  const { features, lengths, shape } = model.preprocessor.frontEnd.computeBatch(waves);
  return {
    audio_signal: new ort.Tensor('float32', features, [...shape]),
    length: int64([...lengths]),
    prompt_index: int64(Object.values(facts.prompts)),
  };
}

it("gives a transducer's decoder what NeMo gives it, for each utterance by its own prompt", async () => {
  const [encoder, joint] = await model.export(join(folder, 'rnnt.onnx'), { maxFrames: 100 });
  const session = await load(encoder);
  expect(session.inputNames).toEqual(['audio_signal', 'length', 'prompt_index']);
  expect(session.outputNames).toEqual(['outputs', 'encoded_lengths']);
  const { outputs } = await session.run(batch());
  const found = outputs.data as Float32Array;
  const size = found.length / languages.length;
  languages.forEach((lang, row) => {
    const own = found.subarray(row * size, (row + 1) * size);
    expect(maxDifference(own, Float32Array.from(facts.encoded[lang]))).toBeLessThan(2e-5);
  });
  expect((await load(joint)).inputNames).toContain('encoder_outputs');
  const { prompt_dictionary, auto_prompt_id } = readMetadata(encoder);
  expect(JSON.parse(prompt_dictionary)).toEqual(facts.prompts);
  expect(auto_prompt_id).toBe(String(facts.prompts['en-US']));
});

it('hears by CTC what NeMo hears with each prompt', async () => {
  const [path] = await model.export(join(folder, 'ctc.onnx'), { maxFrames: 100, decoder: 'ctc' });
  const session = await load(path);
  const { logprobs } = await session.run(batch());
  const [, frames, classes] = logprobs.dims;
  const { vocabulary, blank_id } = readMetadata(path);
  languages.forEach((lang, row) => {
    const ids = Array.from({ length: frames }, (_, t) => {
      const scores = (logprobs.data as Float32Array).subarray((row * frames + t) * classes).slice(0, classes);
      return scores.indexOf(Math.max(...scores));
    }).filter((id, t, all) => id !== Number(blank_id) && id !== all[t - 1]);
    const pieces = ids.map((id) => (JSON.parse(vocabulary) as string[])[id]);
    expect(pieces.join('').replaceAll('▁', ' ').trim()).toBe(facts.texts[`ctc ${lang}`]);
  });
});

const { preprocessor, encoder } = tinyModel() as unknown as Record<string, object>;
const streamable = {
  preprocessor: { ...preprocessor, normalize: 'NA' },
  encoder: {
    ...encoder,
    att_context_size: [6, 2],
    att_context_style: 'chunked_limited',
    causal_downsampling: true,
    conv_context_size: 'causal',
    conv_norm_type: 'layer_norm',
  },
  aux_ctc: { decoder: { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 } },
  model_defaults: {
    initialize_prompt_feature: true,
    num_prompts: 4,
    prompt_dictionary: { auto: 3, en: 0, de: 2 },
  },
};

it('has the prompt beside the caches of a stream', async () => {
  const section = tinyModel({ target: 'EncDecHybridRNNTCTCBPEModelWithPrompt', ...streamable });
  const made = EncDecHybridRNNTCTCBPEModelWithPrompt.fromConfig(section, { seed: 1, engine });
  const prompts = [2, 3, 0];
  const lengths = [97, 61, 30];
  const rows = lengths.map((length, i) => randomTensor([length, 16], i).data as Float32Array);
  const program = engine.compile('prompted', (inputs) => ({
    encoded: made.forward(inputs, evaluationPass).encoded,
  }));
  for (const kind of ['nemo', 'sherpa'] as const) {
    const target = kind === 'nemo' ? join(folder, 'stream.onnx') : join(folder, 'sherpa');
    const [path] = await made.export(target, { streaming: true, maxFrames: 300, for: kind });
    const metadata = readMetadata(path);
    expect(metadata['auto_prompt_id']).toBe('3');
    const found = await inWindows(await load(path), metadata, rows, 16, { prompt_index: int64(prompts) });
    for (const [b, length] of lengths.entries()) {
      const { encoded } = await program.run({
        features: float32(rows[b], [1, length, 16]),
        featureLengths: int32([length], [1]),
        promptIndex: int32([prompts[b]], [1]),
      });
      expect(found[b].length).toBe(encoded.data.length);
      expect(maxDifference(found[b], encoded.data)).toBeLessThan(2e-5);
    }
  }
});

it.each([
  ['of whole utterances', {}],
  ['of a CTC branch', { decoder: 'ctc', streaming: true }],
] as const)('is refused for sherpa-onnx %s, which would not be given the prompt', async (_name, options) => {
  const section = tinyModel({
    target: 'EncDecHybridRNNTCTCBPEModelWithPrompt',
    ...streamable,
  });
  const made = EncDecHybridRNNTCTCBPEModelWithPrompt.fromConfig(section, { seed: 1, engine });
  const refused = made.export(join(folder, 'refused'), { for: 'sherpa', ...options });
  await expect(refused).rejects.toThrow(
    expect.objectContaining({
      code: 'export.sherpa',
      path: 'model.model_defaults.initialize_prompt_feature',
    }),
  );
});

it('has no prompt where the model has no layers for it', async () => {
  const section = tinyModel({
    target: 'EncDecHybridRNNTCTCBPEModelWithPrompt',
    aux_ctc: { decoder: { _target_: 'ConvASRDecoder', feat_in: null, num_classes: -1 } },
    model_defaults: { prompt_dictionary: { en: 0 } },
  });
  const bare = EncDecHybridRNNTCTCBPEModelWithPrompt.fromConfig(section, { seed: 1, engine });
  const [path] = await bare.export(join(folder, 'bare.onnx'), { maxFrames: 50 });
  expect((await load(path)).inputNames).toEqual(['audio_signal', 'length']);
  expect(readMetadata(path)).not.toHaveProperty('prompt_dictionary');
});
