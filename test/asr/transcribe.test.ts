// From audio to text for many inputs of all kinds: order, independence of batches and threads, memory, failures.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EncDecRNNTBPEModel } from '../../src/asr/index.js';
import { MelFrontEnd } from '../../src/audio/index.js';
import type { TranscriptionInput } from '../../src/data/index.js';
import { OnnxEngine } from '../../src/engine/index.js';
import { encodeWav } from '../../src/formats/index.js';
import { tinyModel, toneSpeech } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-transcribe-'));
const engine = new OnnxEngine();
let model: EncDecRNNTBPEModel;

beforeAll(async () => {
  model = EncDecRNNTBPEModel.fromConfig(tinyModel(), { seed: 5, engine });
  // A lower score of blank, so that an untrained model says something.
  const bias = [...model.stateDict().values()].find((state) => state.name === 'joint.joint_net.1.bias');
  if (bias) await engine.write(bias, Float32Array.of(0.3, 0.2, 0.25, 0.1, 0.25));
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Files, segments of files and views on a waveform, long and short in turn; the same utterance in each form. */
function inputs(): { mixed: TranscriptionInput[]; alone: Float32Array[] } {
  const texts = ['abcab', 'c', 'ba', 'abc c', 'bb', 'cab', 'a', 'bcba', 'ac', 'cb a', 'abab', 'b'];
  const mixed: TranscriptionInput[] = [];
  const alone = texts.map((text, i) => {
    const quantised = Float32Array.from(toneSpeech(text, i), (x) => Math.round(x * 32767) / 32768);
    const path = join(folder, `${i}.wav`);
    const silence = new Float32Array(1600);
    const long = Float32Array.of(...silence, ...quantised, ...silence);
    writeFileSync(path, encodeWav([i % 3 === 0 ? quantised : long], { sampleRate: 8000 }));
    const seconds = quantised.length / 8000;
    mixed.push(
      i % 3 === 0
        ? path
        : i % 3 === 1
          ? { audioPath: path, offset: 0.2, duration: seconds }
          : long.subarray(1600, 1600 + quantised.length),
    );
    return quantised;
  });
  return { mixed, alone };
}

describe('transcribe', () => {
  it('gives each input what it gives it alone, in order, whatever the batches and threads', async () => {
    const { mixed, alone } = inputs();
    const expected: string[] = [];
    for (const samples of alone) expected.push((await model.transcribe([samples]))[0].text);
    expect(new Set(expected).size).toBeGreaterThan(6);
    const texts = async (options: object) => (await model.transcribe(mixed, options)).map(({ text }) => text);
    expect(await texts({ workers: 0 })).toEqual(expected);
    expect(await texts({ workers: 2, batchSize: 3 })).toEqual(expected);
    expect(await texts({ workers: 1, batchSize: 1 })).toEqual(expected);
  });

  it('computes features a batch at a time', async () => {
    const compute = vi.spyOn(MelFrontEnd.prototype, 'compute');
    const ahead: number[] = [];
    const onProgress = (done: number) => ahead.push(compute.mock.calls.length - done);
    const { alone } = inputs();
    await model.transcribe([...alone, ...alone], { batchSize: 4, workers: 0, onProgress });
    compute.mockRestore();
    expect(ahead).toHaveLength(6);
    for (const count of ahead) expect(count).toBeLessThanOrEqual(4);
  });

  it('ends at an input that cannot be used, or leaves it empty and tells', async () => {
    const { mixed } = inputs();
    const bad = join(folder, 'bad.wav');
    writeFileSync(bad, 'nothing');
    const all = [bad, mixed[0], new Float32Array(0), mixed[1]];
    await expect(model.transcribe(all)).rejects.toMatchObject({
      code: 'asr.bad-audio',
      message: expect.stringContaining('bad.wav'),
    });
    const told = new Map<number, string>();
    const found = await model.transcribe(all, { onBad: (index, message) => told.set(index, message) });
    expect([...told.keys()].sort()).toEqual([0, 2]);
    expect(told.get(2)).toMatch(/^waveform 2: 0 samples/);
    expect(found.map(({ text }) => text === '')).toEqual([true, false, true, false]);
    expect(await model.transcribe([])).toEqual([]);
  });
});

it('is ended by a signal, and works as before afterwards', async () => {
  const { alone } = inputs();
  const expected = (await model.transcribe(alone)).map(({ text }) => text);
  const controller = new AbortController();
  const onProgress = () => controller.abort('enough');
  const { signal } = controller;
  const cut = model.transcribe(alone, { batchSize: 2, onProgress, signal });
  await expect(cut).rejects.toMatchObject({ code: 'engine.cancelled', cause: 'enough' });
  const open = new AbortController();
  const texts = (await model.transcribe(alone, { signal: open.signal })).map(({ text }) => text);
  expect(texts).toEqual(expected);
});
