// Data sections of speech models: manifests and sources of the user's, named by `_target_`, alone and in lists.
import { describe, expect, it } from 'vitest';
import * as parts from '../../../examples/own-speech/parts.js';
import {
  AnemoneError,
  type ComponentDescriptor,
  component,
  createDefaultContainer,
  createModel,
  defineSchema,
  loadConfig,
} from '../../../src/index.js';
import { type BatchSource, dataSourceKind } from '../../../src/model/index.js';

const modelOf = (overrides: readonly string[], more: readonly ComponentDescriptor[] = []) => {
  const cfg = loadConfig('examples/own-speech/model.yaml', [...overrides]);
  const container = createDefaultContainer().registerAll([...Object.values(parts), ...more]);
  return createModel(cfg.model, { container, seed: 1 });
};

const manifest = 'manifest_filepath: examples/custom-encoder/digits.jsonl, batch_size: 4, num_workers: 0';
const letters = 'model.tokenizer.letters=efghinorstuvwxz';
const trainOn = (section: string) => [letters, '~model.train_ds', `+model.train_ds={${section}}`];

async function targetsOf(source: BatchSource | undefined): Promise<readonly (readonly number[])[]> {
  const rows: number[][] = [];
  for await (const { inputs } of source?.epoch(0) ?? []) {
    rows.push(Array.from(inputs['targets'].data), Array.from(inputs['features'].data.slice(0, 100)));
  }
  await source?.close();
  return rows;
}

async function failureOf(make: () => unknown): Promise<AnemoneError> {
  try {
    await make();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a data section', () => {
  it('gives the same batches by the name of the stock source as without one', async () => {
    const plain = await targetsOf(await modelOf(trainOn(manifest)).trainingSource());
    const named = await targetsOf(
      await modelOf(trainOn(`_target_: ManifestSource, ${manifest}`)).trainingSource(),
    );
    expect(plain.length).toBeGreaterThan(2);
    expect(named).toEqual(plain);
  });

  it('gives a source of the user features, tokens and seed: batches are a function of seed and epoch', async () => {
    const source = await modelOf([]).trainingSource();
    const again = await targetsOf(await modelOf([]).trainingSource());
    const rows = await targetsOf(source);
    expect(rows).toEqual(again);
    expect(source?.batchesInEpoch(0)).toBe(8);
    const later: unknown[] = [];
    for await (const { texts } of source?.epoch(1, 7) ?? []) later.push(texts);
    expect(later).toHaveLength(1);
  });

  it('may list several sets for evaluation, of either kind', async () => {
    const list = `+model.validation_ds=[{_target_: ToneSource, utterances: 3}, {${manifest}}]`;
    const sources = await modelOf([letters, '~model.validation_ds', list]).validationSources();
    expect(sources.map(({ name }) => name)).toEqual(['validation_ds.0', 'validation_ds.1']);
    expect(sources[0].batchesInEpoch(0)).toBe(1);
    for (const source of sources) await source.close();
  });

  it('has the keys of its source checked, with the place in the config', async () => {
    const error = await failureOf(() => modelOf(['+model.train_ds.utterence=3']));
    expect(error.message).toMatch(/ToneSource has no key "utterence".*did you mean "utterances"/s);
    const unknown = await failureOf(() => modelOf(['model.train_ds._target_=ToneSorce']));
    expect(unknown.message).toMatch(/no data source named "ToneSorce".*did you mean "ToneSource"/s);
  });

  it('takes one source for training', async () => {
    const several = component({
      kind: dataSourceKind,
      name: 'Several',
      schema: defineSchema('Several', {}),
      create: () => ({
        open: () => {
          const source = { name: 'a', batchesInEpoch: () => 1 } as unknown as BatchSource;
          return [source, source];
        },
      }),
    });
    const model = modelOf(['~model.train_ds', '+model.train_ds={_target_: Several}'], [several]);
    const error = await failureOf(() => model.trainingSource());
    expect(error).toMatchObject({ code: 'data.several-sources', path: 'model.train_ds' });
  });
});
