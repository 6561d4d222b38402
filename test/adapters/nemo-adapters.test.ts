// Adapters against NeMo: archives and a file of adapters that NeMo wrote (test/golden/scripts/nemo_adapters.py), every
// stage's output, the gradients of the adapters' weights, and our own way there and back.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { restoreConfig, restoreModel, type SpeechModel, stagesOf } from '../../src/asr/index.js';
import { selectValue } from '../../src/config/index.js';
import { OnnxEngine, valueAndGrads } from '../../src/engine/index.js';
import { fileSource, readSafetensors, tensorToFloat32 } from '../../src/formats/index.js';
import { evaluationPass, type Parameter } from '../../src/nn/index.js';

const fixtures = join(import.meta.dirname, '../fixtures/nemo');
const spoken = 'the quick brown fox jumps over it';
const folder = mkdtempSync(join(tmpdir(), 'anemone-adapters-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const samples = Float32Array.from({ length: 4800 }, (_, i) => Math.sin(i ** 1.3 / 40) * 0.3);

let engine: OnnxEngine;
beforeEach(() => {
  engine = new OnnxEngine({ threads: 1 });
});
afterEach(() => engine.dispose());

async function wantedOf(name: string): Promise<Map<string, Float32Array>> {
  const source = await fileSource(join(fixtures, `${name}.safetensors`));
  const { tensors } = await readSafetensors(source);
  await source.close();
  return new Map([...tensors].map(([key, tensor]) => [key, Float32Array.from(tensorToFloat32(tensor))]));
}

function difference(found: ArrayLike<number> | undefined, wanted: Float32Array): number {
  if (found?.length !== wanted.length) return Number.POSITIVE_INFINITY;
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  return wanted.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[i])), 0) / scale;
}

/** Names of the stages that differ from NeMo's by more than rounding. */
async function differing(model: SpeechModel, name: string): Promise<string[]> {
  const { tensors } = await stagesOf(model, engine, samples, spoken);
  const wanted = [...(await wantedOf(name))].filter(([key]) => !/^(grad|padded|loss\.total)/.test(key));
  expect(wanted.length).toBeGreaterThan(6);
  return wanted
    .filter(([key, value]) => !(difference(tensors.get(key)?.data, value) < 1e-5))
    .map(([key]) => key);
}

async function gradientsOf(model: SpeechModel): Promise<Map<string, ArrayLike<number>>> {
  const parameters = [...model.parameters()].filter((parameter: Parameter) => parameter.trainable);
  const { features, lengths, shape } = model.preprocessor.frontEnd.computeBatch([samples]);
  const ids = model.tokenizer.textToIds(spoken);
  const [, bins, frames] = shape;
  const turned = Float32Array.from(
    { length: features.length },
    (_, i) => features[(i % bins) * frames + Math.floor(i / bins)],
  );
  const program = engine.compile('gradients', (inputs) => {
    const { value, grads } = valueAndGrads(() => model.trainingStep(inputs, evaluationPass).loss, parameters);
    return { 'loss.total': value, ...Object.fromEntries(grads.map((grad, i) => [parameters[i].name, grad])) };
  });
  const int = (values: number[], shape: number[]) => ({
    dtype: 'int32' as const,
    shape,
    data: Int32Array.from(values),
  });
  const out = await program.run({
    features: { dtype: 'float32', shape: [1, frames, bins], data: turned },
    featureLengths: int([lengths[0]], [1]),
    targets: int(ids, [1, ids.length]),
    targetLengths: int([ids.length], [1]),
  });
  program.dispose();
  return new Map(Object.entries(out).map(([key, tensor]) => [key, tensor.data]));
}

describe.each(['hybrid-adapters', 'ctc-adapters'])('%s, an archive of NeMo', (name) => {
  it('computes what NeMo does, and its adapters have the same gradients', async () => {
    const model = await restoreModel(join(fixtures, `${name}.nemo`), { engine });
    expect(await differing(model, name)).toEqual([]);
    model.freeze();
    model.unfreezeEnabledAdapters();
    const found = await gradientsOf(model);
    const wanted = await wantedOf(name);
    const gradients = [...wanted.keys()].filter((key) => key.startsWith('grad.')).map((key) => key.slice(5));
    expect([...found.keys()].sort()).toEqual(['loss.total', ...gradients].sort());
    const far = [...found].filter(([key, value]) => {
      const golden = wanted.get(key) ?? wanted.get(`grad.${key}`);
      return !(difference(value, golden as Float32Array) < 1e-4);
    });
    expect(far.map(([key]) => key)).toEqual([]);
  });

  it('comes back from an archive of ours, under the names NeMo reads', async () => {
    const model = await restoreModel(join(fixtures, `${name}.nemo`), { engine });
    const path = join(folder, `${name}.nemo`);
    await model.saveTo(path);
    expect(await differing(await restoreModel(path, { engine }), name)).toEqual([]);
    const [ours, theirs] = [await restoreConfig(path), await restoreConfig(join(fixtures, `${name}.nemo`))];
    expect(selectValue(ours, 'model.adapters')).toEqual(selectValue(theirs, 'model.adapters'));
    expect(selectValue(ours, 'model.encoder._target_')).toBe(
      'nemo.collections.asr.modules.conformer_encoder.ConformerEncoderAdapter',
    );
  });
});

describe('files of adapters', () => {
  it('of NeMo give the adapters to a model that has none', async () => {
    const model = await restoreModel(join(fixtures, 'hybrid-bpe.nemo'), { engine });
    const names = await model.loadAdapters(join(fixtures, 'adapters.pt'));
    expect(names).toEqual(['first', 'off', 'second', 'shared']);
    expect(model.adapters.enabled).toEqual(['first', 'second', 'shared']);
    expect(await differing(model, 'hybrid-adapters')).toEqual([]);
  });

  it('come back, all or some', async () => {
    const model = await restoreModel(join(fixtures, 'hybrid-adapters.nemo'), { engine });
    const path = join(folder, 'ours.pt');
    await model.saveAdapters(path);
    const base = join(fixtures, 'hybrid-bpe.nemo');
    const again = await restoreModel(base, { engine });
    await again.loadAdapters(path);
    expect(await differing(again, 'hybrid-adapters')).toEqual([]);
    const some = await restoreModel(base, { engine });
    expect(await some.loadAdapters(path, { names: ['second'] })).toEqual(['second']);
    await expect(some.loadAdapters(path, { names: ['third'] })).rejects.toThrow(/no adapter "third"/);
    await expect(some.loadAdapters(path, { names: ['second'] })).rejects.toThrow(/already/);
    await expect(some.loadAdapters(base)).rejects.toThrow();
  });
});
