// `anemone inspect`, `export`, and the commands that use a trained model, on the .nemo archives of the fixtures.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav, fileSource, openWeights, readSafetensors } from '../../src/formats/index.js';
import { anemone } from './anemone.js';

const fixtures = join(import.meta.dirname, '../fixtures');
const hybrid = join(fixtures, 'nemo/hybrid-bpe.nemo');
const folder = mkdtempSync(join(tmpdir(), 'anemone-inspect-'));
const out = (name: string) => join(folder, name);

beforeAll(() => {
  const samples = Float32Array.from({ length: 8000 }, (_, i) => 0.3 * Math.sin(i ** 1.3 / 40));
  writeFileSync(out('a.wav'), encodeWav([samples], { sampleRate: 16000 }));
  writeFileSync(
    out('a.json'),
    `${JSON.stringify({ audio_filepath: out('a.wav'), duration: 0.5, text: 'the fox' })}\n`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('anemone inspect', () => {
  it('lists modules with their sizes, and the config', async () => {
    const { code, out: text } = await anemone('inspect', hybrid);
    expect(code).toBe(0);
    expect(text).toMatch(/encoder\.layers +\d[\d ]* +[\d.]+ KiB/);
    expect(text).toMatch(/total/);
    expect(text).toContain('_target_: nemo.collections.asr.modules.ConformerEncoder');
    expect((await anemone('inspect', hybrid, '--no-config')).out).not.toContain('_target_');
  });

  it('lists the tensors of a file without config', async () => {
    const { out: text } = await anemone('inspect', join(fixtures, 'torch/lightning.ckpt'), '--depth', '0');
    expect(text).toMatch(/7 tensors/);
    expect(text).toMatch(/1\.num_batches_tracked +1 .*I64 \[\]/);
  });

  it('names a recording that is too short', async () => {
    writeFileSync(out('short.wav'), encodeWav([new Float32Array(100)], { sampleRate: 16000 }));
    const { code, err } = await anemone('inspect', hybrid, out('short.wav'));
    expect(code).toBe(2);
    expect(err).toMatch(/short\.wav: too short for this model: 100 samples at 16000 Hz/);
  });

  it('shows and writes what the stages compute', async () => {
    const args = ['inspect', hybrid, out('a.wav'), '--text', 'the fox', '--dump', out('stages.safetensors')];
    const { code, out: text } = await anemone(...args);
    expect(code).toBe(0);
    expect(text).toContain('encoder.layers.0');
    const source = await fileSource(out('stages.safetensors'));
    const { tensors, metadata } = await readSafetensors(source);
    await source.close();
    expect(metadata['text']).toBe('the fox');
    const frames = tensors.get('encoder.encoded_lengths')?.data[0];
    expect(tensors.get('encoder.outputs')?.shape).toEqual([1, 8, Number(frames)]);
    expect([...tensors.keys()]).toEqual(
      expect.arrayContaining(['joint.outputs', 'ctc_decoder.logprobs', 'loss.rnnt']),
    );
  });

  it('names mistakes', async () => {
    expect((await anemone('inspect', hybrid, '--depth', 'x')).code).toBe(2);
    expect((await anemone('inspect', hybrid, '--dump', out('x'))).err).toContain('needs a recording');
    expect((await anemone('inspect', out('a.wav'))).err).toContain('no file of weights');
    expect((await anemone('inspect', hybrid, out('none.wav'))).code).toBe(2);
  });
});

describe('anemone export', () => {
  it('writes a folder for sherpa-onnx, and names options that do not go together', async () => {
    const options = ['--for', 'sherpa', '--decoder', 'ctc', '--max-frames', '60'];
    const { code, err } = await anemone('export', hybrid, out('sherpa'), ...options);
    expect(code, err).toBe(0);
    expect(err).toMatch(/model\.onnx is of the model of .*\n.*tokens\.txt is of/);
    for (const [given, message] of [
      [[out('x.nemo'), '--streaming'], /--streaming: is for files in ONNX/],
      [[out('x.nemo'), '--decoder', 'ctc'], /--decoder: is for files in ONNX/],
      [[out('x'), '--for', 'kaldi'], /--for: expected nemo, sherpa, peft or huggingface/],
      [[out('x.onnx'), '--att-context-size', '4,1'], /--att-context-size: needs --streaming/],
      [[out('x.onnx'), '--streaming', '--att-context-size', 'all'], /expected two whole numbers/],
      [[out('x.onnx'), '--streaming'], /whole utterance/],
    ] as const) {
      const wrong = await anemone('export', hybrid, ...given);
      expect([wrong.code, wrong.err]).toEqual([2, expect.stringMatching(message)]);
    }
  });

  it('writes .nemo and safetensors', async () => {
    expect((await anemone('export', hybrid, out('again.nemo'))).code).toBe(0);
    expect((await anemone('export', hybrid, out('again.safetensors'))).code).toBe(0);
    const [a, b, c] = await Promise.all(
      [hybrid, out('again.nemo'), out('again.safetensors')].map(openWeights),
    );
    const namesOf = (file: typeof a) => [...file.entries.keys()].sort();
    expect([namesOf(b), namesOf(c)]).toEqual([namesOf(a), namesOf(a)]);
    const name = 'joint.enc.weight';
    const values = await Promise.all([a, b, c].map(async (file) => [...(await file.read(name)).data]));
    expect(values[1]).toEqual(values[0]);
    expect(values[2]).toEqual(values[0]);
    for (const file of [a, b, c]) await file.close();
  });

  it('knows a kind by its ending', async () => {
    const { code, err } = await anemone('export', hybrid, out('model.txt'));
    expect([code, err.includes('.nemo, .safetensors or .onnx')]).toEqual([2, true]);
    expect(existsSync(out('model.txt'))).toBe(false);
  });
});

describe('commands that use a trained model', () => {
  it('transcribe and test a .nemo file', async () => {
    const { code, out: text } = await anemone('transcribe', hybrid, out('a.wav'));
    expect([code, text.startsWith(`${out('a.wav')}\t`)]).toEqual([0, true]);
    const tested = await anemone('test', hybrid, '--manifest', out('a.json'), '--json');
    expect(tested.code).toBe(0);
    expect(Object.keys(JSON.parse(tested.out).metrics)).toEqual(
      expect.arrayContaining(['test/wer', 'test/loss']),
    );
    expect((await anemone('transcribe', hybrid, out('a.wav'), '--weights', 'ema')).code).toBe(2);
    expect((await anemone('transcribe', out('none.nemo'), out('a.wav'))).err).toContain('none.nemo');
  });

  it('train from the weights of one', async () => {
    const yaml = readFileSync(join(import.meta.dirname, '../../conf/quickstart.yaml'), 'utf8');
    expect(yaml).not.toContain('init_from');
    const { model: config } = await (await import('../../src/asr/index.js')).restoreConfig(hybrid);
    const { toYaml } = await import('../../src/config/index.js');
    const set = { manifest_filepath: out('a.json'), sample_rate: 16000, batch_size: 1, num_workers: 0 };
    const { tokenizer: _, ...rest } = config;
    const model = {
      ...rest,
      labels: [...'the fox'].filter((c, i, all) => all.indexOf(c) === i),
      train_ds: set,
      validation_ds: null,
    };
    writeFileSync(
      out('tune.yaml'),
      toYaml({
        model: { ...model, nemo_compat: '1.x', decoding: null } as never,
        trainer: { max_steps: 1 } as never,
      }),
    );
    const changes = [
      `+init_from_nemo_model={a: {path: "${hybrid}", include: [encoder]}}`,
      '++model.freeze=[encoder]',
    ];
    const { code, err } = await anemone('train', out('tune.yaml'), ...changes, '--no-test');
    expect([code, err]).toEqual([0, expect.stringMatching(/started from .*hybrid-bpe\.nemo: \d+ tensors/)]);
  });
});
