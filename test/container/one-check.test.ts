// A section is found once, checked once and built of what the check found.
import { describe, expect, it } from 'vitest';
import { checkConfig, createFromConfig, createModel } from '../../src/asr/index.js';
import { components } from '../../src/composition.js';
import {
  componentConfig,
  configFromObject,
  configFromText,
  defineSchema,
  type Schema,
} from '../../src/config/index.js';
import { type ComponentDescriptor, Container, component, defineKind } from '../../src/container/index.js';
import { createReferenceEngine } from '../../src/engine/index.js';
import { expManagerSchema, Trainer, trainerSchema } from '../../src/training/index.js';
import { tinyModel } from '../asr/support.js';

/** The same schema, counting how often it looks at a mapping. */
function counting<T>(schema: Schema<T>, counts: Map<string, number>): Schema<T> {
  return Object.create(schema, {
    checkKeys: {
      value(this: Schema<T>, ...given: Parameters<Schema<T>['checkKeys']>): T {
        counts.set(schema.name, (counts.get(schema.name) ?? 0) + 1);
        return schema.checkKeys.apply(this, given);
      },
    },
  }) as Schema<T>;
}

function countingContainer(): { container: Container; counts: Map<string, number> } {
  const counts = new Map<string, number>();
  const counted = (descriptor: ComponentDescriptor): ComponentDescriptor =>
    descriptor.kind === 'model' ? descriptor : { ...descriptor, schema: counting(descriptor.schema, counts) };
  return { container: new Container().registerAll(components.map(counted)), counts };
}

const PARTS = {
  AudioToMelSpectrogramPreprocessor: 1,
  SpectrogramAugmentation: 1,
  ConformerEncoder: 1,
  RNNTDecoder: 1,
  RNNTJoint: 1,
  ConvASRDecoder: 1,
  LinearAdapter: 1,
  adamw: 1,
  CosineAnnealing: 1,
};
const model = tinyModel({
  spec_augment: { _target_: 'SpectrogramAugmentation', freq_masks: 1 },
  aux_ctc: { decoder: { _target_: 'ConvASRDecoder' } },
  adapters: { one: { _target_: 'LinearAdapter', dim: 2 } },
  optim: { name: 'adamw', lr: 0.1, sched: { name: 'CosineAnnealing' } },
});

describe('the schema of each part', () => {
  it('looks at its section once while a model is made', () => {
    const { container, counts } = countingContainer();
    createModel(model, { container, engine: createReferenceEngine() });
    expect(Object.fromEntries(counts)).toEqual(PARTS);
  });

  it('also where the whole config was checked before', async () => {
    const { container, counts } = countingContainer();
    const config = configFromObject({
      model,
      trainer: {
        engine: { name: 'reference' },
        enable_progress_bar: false,
        callbacks: [{ _target_: 'StepTiming' }],
      },
    });
    checkConfig(config, { container });
    const trainer = new Trainer(config.trainer, { container });
    await createFromConfig(config, trainer);
    expect(Object.fromEntries(counts)).toEqual({ ...PARTS, StepTiming: 1 });
  });

  it('looks at mappings made in code anew when they may have changed', () => {
    const { container, counts } = countingContainer();
    const plain = { ...tinyModel(), joint: { _target_: 'RNNTJoint', jointnet: { joint_hidden: 4 } } };
    const widths = [4, 8].map((width) => {
      plain.joint.jointnet.joint_hidden = width;
      const { joint } = createModel(plain as never, { container }) as never as {
        joint: { config: { jointnet: { joint_hidden: number } } };
      };
      return joint.config.jointnet.joint_hidden;
    });
    expect(widths).toEqual([4, 8]);
    expect(counts.get('RNNTJoint')).toBe(2);
  });
});

describe('what a schema found', () => {
  it.each([
    ['trainer', trainerSchema, 'max_epochs: 3'],
    ['exp_manager', expManagerSchema, 'exp_dir: a'],
  ] as const)('in %s is the value that is used', (name, schema, yaml) => {
    const { components: lookup } = new Container().registerAll(components);
    const section = configFromText(`${name}: {${yaml}}`)[name];
    const first = (schema as Schema<unknown>).parse(section, { lookup });
    expect((schema as Schema<unknown>).parse(section, { lookup })).toBe(first);
    expect((schema as Schema<unknown>).parse(section)).not.toBe(first);
  });
});

describe('a key that whoever builds a part fills in', () => {
  interface Sized {
    readonly size: number;
    readonly inner: number;
  }
  const sizedKind = defineKind<Sized>('sized');
  const innerSchema = defineSchema('inner', {
    size: { doc: 'Given.', format: 'int', min: 1 },
    own: { doc: 'Its own.', format: 'int', default: 7 },
  });
  const sized = component({
    kind: sizedKind,
    name: 'Sized',
    schema: defineSchema(
      'Sized',
      {
        size: { doc: 'Given.', format: 'int', min: 1 },
        inner: { doc: 'Inside.', format: innerSchema },
      },
      {
        refine: ({ size, inner }, report) => {
          if (size % inner.size !== 0) report('size', `is no multiple of ${inner.size}`);
        },
      },
    ),
    create: ({ size, inner }): Sized => ({ size, inner: inner.size * inner.own }),
  });
  const outer = defineSchema('outer', {
    part: { doc: 'A part.', format: componentConfig('sized', { given: ['size', 'inner.size'] }) },
  });
  const build = (yaml: string, values: Readonly<Record<string, unknown>>) => {
    const container = new Container().registerAll([sized]);
    const section = configFromText(yaml, [], { file: 'c.yaml' });
    const { part } = outer.parse(section, { lookup: container.components });
    return container.instantiate(part, sizedKind, { with: values });
  };

  it.each(['', 'size: ???, ', 'size: null, ', 'size: 3, '])('may stand as "%s" until then', (size) => {
    const yaml = `part: {_target_: Sized, ${size}inner: {own: 2}}`;
    expect(build(yaml, { size: 8, inner: { size: 4 } })).toEqual({ size: 8, inner: 8 });
  });

  it('is checked when it is given, with all that depends on it', () => {
    const yaml = 'part: {_target_: Sized, inner: {own: 2}}';
    expect(() => build(yaml, { size: 0, inner: { size: 4 } })).toThrow(/part\.size: expected a number ≥ 1/);
    expect(() => build(yaml, { size: 9, inner: { size: 4 } })).toThrow(
      /c\.yaml:1:\d+: part\.size: is no mult/,
    );
    expect(() => build(yaml, { sise: 9 })).toThrow(/Sized has no key "sise"/);
  });

  it('is missing where nobody gives it', () => {
    const plain = defineSchema('outer', { part: { doc: 'A part.', format: componentConfig('sized') } });
    const { components: lookup } = new Container().registerAll([sized]);
    const part = { _target_: 'Sized', inner: {} };
    expect(plain.validate({ part }, { lookup }).errors.map(({ path }) => path)).toEqual([
      'part.size',
      'part.inner.size',
    ]);
  });
});
