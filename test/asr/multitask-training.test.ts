// Multitask models from manifest to checkpoint: batches with prompts, a trained step, transcripts that ask for a task.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createModel, EncDecMultiTaskModel } from '../../src/asr/index.js';
import { type ConfigNode, configFromObject } from '../../src/config/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { CounterRandom } from '../../src/random/index.js';
import { trainSpecialTokenizer } from '../../src/text/index.js';
import { expectSameHoweverPadded } from './padded.js';
import { tinyModel, toneSpeech } from './support.js';
import { trainer } from './training.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-multitask-'));
const manifest = join(folder, 'train.json');
const engine = new OnnxEngine({ threads: 1 });
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

function wav(samples: Float32Array): Buffer {
  const bytes = Buffer.alloc(44 + 2 * samples.length);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + 2 * samples.length, 4);
  bytes.write('WAVEfmt ', 8);
  for (const [at, value] of [[16, 16], [24, 8000], [28, 16000], [40, 2 * samples.length]]) bytes.writeUInt32LE(value, at); // biome-ignore format: one line reads better
  for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) bytes.writeUInt16LE(value, at); // biome-ignore format: one line reads better
  bytes.write('data', 36);
  samples.forEach((x, i) => {
    bytes.writeInt16LE(Math.round(x * 32767), 44 + 2 * i);
  });
  return bytes;
}

const slots = { source_lang: 'en', target_lang: 'de', taskname: 'ast', pnc: 'no' };

function write(lines: readonly Record<string, unknown>[]): void {
  const whole = lines.map((line) => ({ audio_filepath: join(folder, 'a.wav'), duration: 0.9, ...line }));
  writeFileSync(manifest, whole.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

beforeAll(() => {
  writeFileSync(join(folder, 'a.wav'), wav(toneSpeech('abc', 1)));
  trainSpecialTokenizer(['en', 'de', 'transcribe', 'translate'], join(folder, 'spl'));
});

function multiTask(changes: Readonly<Record<string, unknown>> = {}): EncDecMultiTaskModel {
  const data = { manifest_filepath: manifest, batch_size: 2, num_workers: 0 };
  const labels = { type: 'char', labels: ['a', 'b', 'c', ' '] };
  const node = tinyModel({
    labels: undefined,
    decoder: undefined,
    joint: undefined,
    prompt_format: 'canary',
    tokenizer: {
      type: 'agg',
      langs: { spl_tokens: { type: 'bpe', dir: join(folder, 'spl') }, en: labels, de: labels },
      custom_tokenizer: { _target_: 'CanaryTokenizer' },
    },
    train_ds: { ...data, text_field: 'answer' },
    validation_ds: data,
    transf_decoder: {
      _target_: 'TransformerDecoder',
      config_dict: { hidden_size: 12, inner_size: 16, num_layers: 1, num_attention_heads: 2, pre_ln: true, max_sequence_length: 40 }, // biome-ignore format: one line reads better
    },
    head: { _target_: 'TokenClassifier', hidden_size: 12 },
    loss: { _target_: 'SmoothedCrossEntropyLoss', label_smoothing: 0.1 },
    decoding: { strategy: 'greedy', greedy: { max_generation_delta: 0 } },
    ...changes,
  });
  const model = createModel(node, { seed: 1, engine });
  if (!(model instanceof EncDecMultiTaskModel)) throw new Error('of another class');
  return model;
}

async function failure(promise: Promise<unknown>): Promise<AnemoneError> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason); // biome-ignore format: one line reads better
  expect(error).toBeInstanceOf(AnemoneError);
  return error as AnemoneError;
}

describe('batches', () => {
  it('are prompt, text in the target language and end', async () => {
    write([{ ...slots, answer: 'ab', text: 'c' }]);
    const model = multiTask();
    const source = await model.trainingSource();
    for await (const { inputs, texts } of source?.epoch(0) ?? []) {
      const [length] = inputs['targetLengths'].data;
      const tokens = model.tokenizer.idsToTokens([...inputs['targets'].data.subarray(0, length)] as number[]);
      const prompt = ['<|startoftranscript|>', '<|en|>', '<|translate|>', '<|de|>', '<|nopnc|>'];
      expect(tokens).toEqual([...prompt, 'a', 'b', '<|endoftext|>']);
      expect(inputs['targets'].data[5]).toBe(12 + 4);
      expect([...inputs['targets'].data.subarray(length)].every((id) => id === 2)).toBe(true);
      expect([...inputs['promptLengths'].data]).toEqual([5]);
      expect(texts).toEqual(['ab']);
    }
    expect(source?.largestBatch?.().inputs['promptLengths'].shape).toEqual([1]);
    await source?.close();
  });

  it('need every slot, and the line is named', async () => {
    write([
      { ...slots, answer: 'a' },
      { answer: 'a', source_lang: 'en', pnc: 'no' },
    ]);
    const { message } = await failure(multiTask().trainingSource());
    expect(message).toContain(`${manifest}:2: `);
    expect(message).toContain('task, target_lang');
    const given = { source_lang: 'en', target_lang: 'en', task: 'asr', pnc: 'yes' };
    const model = multiTask({ prompt_defaults: [{ role: 'user', slots: given }] });
    await (await model.trainingSource())?.close();
  });

  it('may be padded further: losses, gradients and transcripts are the same', async () => {
    write([
      { ...slots, answer: 'ab', text: 'ab' },
      { ...slots, answer: 'cabca', text: 'cab' },
    ]);
    const model = multiTask();
    const source = await model.trainingSource();
    for await (const { inputs } of source?.epoch(0) ?? []) {
      const { batchFrames, ...own } = inputs;
      expect(batchFrames.data[0]).toBeLessThanOrEqual(own['features'].shape[1]!);
      await expectSameHoweverPadded(engine, model, own);
    }
    await source?.close();
  });

  it('train the model and evaluate it', async () => {
    write([
      { ...slots, answer: 'ab', text: 'ab' },
      { ...slots, answer: 'cab', text: 'cab' },
    ]);
    const model = multiTask({ use_loss_mask_for_prompt: true });
    const source = await model.trainingSource();
    const train = trainer(engine, model, 0.01);
    const losses: number[] = [];
    for (let epoch = 0; epoch < 6; epoch++) {
      for await (const { inputs } of source?.epoch(epoch) ?? []) {
        losses.push((await train.run(inputs, { random: new CounterRandom(epoch) }))['loss'].data[0]);
      }
    }
    await source?.close();
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]);
    const evaluator = model.evaluator(engine);
    const [validation] = await model.validationSources();
    for await (const batch of validation.epoch(0)) await evaluator.add(batch);
    await validation.close();
    const { metrics } = evaluator.summary();
    expect(Object.keys(metrics).sort()).toEqual(['cer', 'loss', 'wer']);
    expect(metrics['loss']).toBeGreaterThan(0);
  });
});

describe('transcribing', () => {
  it('asks for what is wanted: a recording’s own prompt first, then the call’s', async () => {
    const model = multiTask();
    const wave = toneSpeech('abc', 1);
    const same = async (a: object, b: object) => {
      const one = await model.transcribe([{ audioPath: join(folder, 'a.wav'), ...a }], {
        prompt: { pnc: 'no' },
      });
      const two = await model.transcribe([{ audioPath: join(folder, 'a.wav'), ...b }]);
      return one[0].score === two[0].score;
    };
    expect(await same({}, { prompt: { pnc: 'no' } })).toBe(true);
    expect(await same({}, {})).toBe(false);
    expect(await same({ prompt: { pnc: 'yes' } }, {})).toBe(true);
    const [{ tokens }] = await model.transcribe([wave]);
    expect(tokens.every((token) => token.seconds === undefined)).toBe(true);
  });

  it('refuses what an attention decoder cannot do', async () => {
    const model = multiTask();
    const wave = toneSpeech('a', 1);
    expect((await failure(model.transcribe([wave], { timestamps: true }))).code).toBe('asr.no-timestamps');
    expect((await failure(model.transcribe([wave], { chunkSeconds: 1 }))).code).toBe('streaming.attention');
    const plain = createModel(tinyModel(), { engine }) as EncDecMultiTaskModel;
    const prompt = { target_lang: 'de' };
    expect((await failure(plain.transcribe([wave], { prompt }))).code).toBe('asr.no-prompt');
  });
});

it('a checkpoint’s files make the tokenizer again', async () => {
  const model = multiTask();
  const artifacts = await model.artifacts();
  expect([...artifacts.keys()]).toContain('spl_tokens/tokenizer.model');
  const node = configFromObject({ model: model.config }).model as ConfigNode;
  const again = createModel(node, { engine, artifacts, sealed: () => true }) as EncDecMultiTaskModel;
  expect(again.tokenizer.vocabulary).toEqual(model.tokenizer.vocabulary);
});

it('a model that does not know English is exported, without a prompt that it cannot write', async () => {
  trainSpecialTokenizer(['de', 'transcribe'], join(folder, 'german'));
  const tokenizer = {
    type: 'agg',
    langs: {
      spl_tokens: { type: 'bpe', dir: join(folder, 'german') },
      de: { type: 'char', labels: ['a', 'b', 'c', ' '] },
    },
    custom_tokenizer: { _target_: 'CanaryTokenizer' },
  };
  const slots = { source_lang: 'de', target_lang: 'de' };
  const models = [
    multiTask({ tokenizer }),
    multiTask({ tokenizer, prompt_defaults: [{ role: 'user', slots }] }),
  ];
  const prompts: boolean[] = [];
  for (const model of models) {
    const [file] = await model.export(join(folder, 'german.onnx'), { maxFrames: 50, check: false });
    prompts.push(readFileSync(file).includes('prompt_ids'));
  }
  expect(prompts).toEqual([false, true]);
});

it('parts that do not fit are told', () => {
  const widths = () => multiTask({ head: { _target_: 'TokenClassifier', hidden_size: 16 } });
  expect(widths).toThrow(/model.head.hidden_size: is 16, and the decoder is 12 wide/);
  expect(() => multiTask({ tokenizer: { type: 'char', labels: ['a'] } })).toThrow(/no special tokens/);
});
