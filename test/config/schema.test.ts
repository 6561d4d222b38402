// Schemas: inference, every kind of mistake at once with its place, warnings, and the documents made of them.
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type ConfigWarning,
  componentConfig,
  configFromText,
  customFormat,
  defineSchema,
  formatWarnings,
  type InferConfig,
  type Interval,
  interval,
  listOf,
  oneOf,
  recordOf,
  schemaToHelp,
  schemaToJsonSchema,
  schemaToMarkdown,
} from '../../src/config/index.js';
import { AnemoneErrors } from '../../src/errors/index.js';

const prednet = defineSchema('prednet', {
  pred_hidden: { doc: 'Size of the prediction network.', format: 'int', min: 1 },
  dropout: { doc: 'Dropout.', format: 'number', default: 0, min: 0, below: 1 },
});
const decoder = defineSchema(
  'RNNTDecoder',
  {
    vocab_size: { doc: 'Tokens without blank. Set by the model.', format: 'nat' },
    normalization_mode: { doc: 'Norm.', format: ['batch', 'layer'], nullable: true, default: null },
    blank_as_pad: { doc: 'Blank embeds to zero.', format: 'boolean', default: true },
    prednet: { doc: 'Prediction network.', format: prednet, default: { pred_hidden: 640 } },
    sizes: { doc: 'Sizes.', format: listOf('int'), default: [1, 2] },
    precision: { doc: 'Precision.', format: oneOf([16, 32, 'bf16'], 'mapping'), default: 32 },
    note: { doc: 'Anything.', format: 'string', optional: true },
    weights: { doc: 'By name.', format: recordOf('number'), default: {} },
  },
  {
    doc: 'The prediction network of a transducer.',
    ignored: {
      pin_memory: 'Node has no pinned memory',
      create_wandb_logger: { instead: 'there is no wandb client', harmless: [false, null] },
    },
  },
);

function errorsOf(text: string, schema = decoder as ReturnType<typeof defineSchema>): string[] {
  const config = configFromText(text, [], { file: 'c.yaml' });
  return schema.validate(config.model).errors.map((error) => error.message);
}

describe('defineSchema', () => {
  it('infers types from the fields', () => {
    type Decoder = InferConfig<typeof decoder>;
    expectTypeOf<Decoder['vocab_size']>().toEqualTypeOf<number>();
    expectTypeOf<Decoder['normalization_mode']>().toEqualTypeOf<'batch' | 'layer' | null>();
    expectTypeOf<Decoder['prednet']['dropout']>().toEqualTypeOf<number>();
    expectTypeOf<Decoder['sizes']>().toEqualTypeOf<readonly number[]>();
    expectTypeOf<Decoder['note']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<Decoder['weights'][string]>().toEqualTypeOf<number>();
  });

  it('fills defaults, freezes, and takes plain objects too', () => {
    const config = decoder.parse({ vocab_size: 128, prednet: { pred_hidden: 320 } });
    expect(config).toEqual({
      vocab_size: 128,
      normalization_mode: null,
      blank_as_pad: true,
      prednet: { pred_hidden: 320, dropout: 0 },
      sizes: [1, 2],
      precision: 32,
      note: undefined,
      weights: {},
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('refuses a default that does not fit', () => {
    const define = () => defineSchema('Bad', { rate: { doc: '', format: 'number', default: 2, max: 1 } });
    expect(define).toThrow('Bad.rate: expected a number ≤ 1, got 2');
  });
});

describe('errors', () => {
  it('are all found in one go, each with file, line, column, path and what to do', () => {
    const text = [
      'model:',
      '  vocab_sise: 3',
      '  normalization_mode: lair',
      '  blank_as_pad: "yes"',
      '  prednet:',
      '    pred_hidden: 0',
      '    dropout: 1.0',
      '    droput: 1',
      '  sizes: [1, two, 3.5]',
      '  precision: 64',
      '  weights: {a: x}',
      '  note: ???',
    ].join('\n');
    expect(errorsOf(text)).toEqual([
      'c.yaml:2:3: model.vocab_sise: RNNTDecoder has no key "vocab_sise" — did you mean "vocab_size"?',
      'c.yaml:3:23: model.normalization_mode: expected one of "batch" or "layer", got the text "lair" — did you mean "layer"?',
      'c.yaml:4:17: model.blank_as_pad: expected true or false, got the text "yes" — write it without quotes',
      'c.yaml:8:5: model.prednet.droput: prednet has no key "droput" — did you mean "dropout"?',
      'c.yaml:6:18: model.prednet.pred_hidden: expected a number ≥ 1, got 0',
      'c.yaml:7:14: model.prednet.dropout: expected a number ≥ 0 and < 1, got 1',
      'c.yaml:9:14: model.sizes.1: expected an integer, got the text "two"',
      'c.yaml:9:19: model.sizes.2: expected an integer, got the number 3.5',
      'c.yaml:10:14: model.precision: expected one of 16, 32 or "bf16" or a mapping, got the number 64',
      'c.yaml:12:9: model.note: a value is required here but it is still ??? — set it in the file or with model.note=VALUE',
      'c.yaml:11:16: model.weights.a: expected a number, got the text "x"',
    ]);
  });

  it('arrive as one exception with exit code 2', () => {
    const config = configFromText('model: {vocab_size: -1, zzz: 1}');
    try {
      decoder.parse(config.model);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(AnemoneErrors);
      expect((error as AnemoneErrors).errors.map((e) => e.code)).toEqual([
        'config.unknown-key',
        'config.invalid-value',
      ]);
      expect((error as AnemoneErrors).exitCode).toBe(2);
    }
  });

  it('say when a choice only lacks its quotes', () => {
    const schema = defineSchema('V', { compat: { doc: '', format: ['1.x', '2.5'], default: '2.5' } });
    expect(errorsOf('model: {compat: 2.5}', schema)[0]).toMatch(/got the number 2\.5 — put it in quotes$/);
  });

  it('never convert text to numbers, and say how to', () => {
    expect(errorsOf('model: {vocab_size: "128"}')[0]).toMatch(/got the text "128" — write it without quotes/);
  });

  it('name a section that is missing or not a mapping', () => {
    expect(decoder.validate(undefined, { path: 'model.decoder' }).errors[0].message).toBe(
      'model.decoder: the section RNNTDecoder is missing',
    );
    expect(errorsOf('model: 5')[0]).toMatch(/expected a mapping \(RNNTDecoder\), got the number 5/);
  });

  it('tells a section that an override laid another component over from a section with wrong keys', () => {
    const skip = ['_target_'];
    const text = 'model: {_target_: Old, vocab_size: 1, old_one: 1, old_two: 2}';
    const changed = configFromText(text, ['model._target_=RNNTDecoder', '+model.mine=3'], { file: 'c.yaml' });
    const { errors } = decoder.validate(changed.model, { skip });
    expect(errors.map(({ code, path }) => [code, path])).toEqual([
      ['config.laid-over', 'model'],
      ['config.unknown-key', 'model.mine'],
    ]);
    expect(errors[0].message).toMatch(/2 keys that RNNTDecoder does not know \(old_one, old_two\)/);
    expect(errors[0].hint).toContain('~model "+model={_target_: …}"');
    const replaced = configFromText(text, ['~model', '+model={_target_: RNNTDecoder, vocab_size: 2}']);
    expect(decoder.validate(replaced.model, { skip }).errors).toEqual([]);
    expect(decoder.validate(configFromText(text).model, { skip }).errors).toHaveLength(2);
  });

  it('point at the override that brought the value', () => {
    const config = configFromText('model: {vocab_size: 1}', ['model.vocab_size=abc'], { file: 'c.yaml' });
    expect(decoder.validate(config.model).errors[0].message).toBe(
      'override model.vocab_size=abc: model.vocab_size: expected an integer ≥ 0, got the text "abc"',
    );
  });

  it('from refine wait until every key is right', () => {
    const schema = defineSchema(
      'Attention',
      { d: { doc: 'Width.', format: 'int' }, heads: { doc: 'Heads.', format: 'int' } },
      { refine: (c, report) => c.d % c.heads !== 0 && report('heads', `must divide d=${c.d}`) },
    );
    expect(errorsOf('model: {d: 10, heads: 3}', schema)).toEqual([
      'c.yaml:1:23: model.heads: must divide d=10',
    ]);
    expect(errorsOf('model: {d: x, heads: 3}', schema)).toHaveLength(1);
  });

  it('of keys that live on every object are errors like others', () => {
    expect(
      errorsOf('model: {vocab_size: 1, constructor: {prototype: {a: 1}}, toString: 2, hasOwnProperty: 1}'),
    ).toHaveLength(3);
  });
});

describe('formats', () => {
  it('interval tells 1 from 1.0', () => {
    const schema = defineSchema('T', { every: { doc: '', format: interval(), default: { fraction: 1 } } });
    const parse = (text: string): Interval => schema.parse(configFromText(`t:\n  every: ${text}`).t).every;
    expect(parse('1')).toEqual({ batches: 1 });
    expect(parse('1.0')).toEqual({ fraction: 1 });
    expect(parse('0.25')).toEqual({ fraction: 0.25 });
    expect(parse(`\${sum:0.5,0.5}`)).toEqual({ fraction: 1 });
    expect(() => parse('1.5')).toThrow('part of an epoch');
    expect(schema.parse({}).every).toEqual({ fraction: 1 });
  });

  it('customFormat adds the reason of a refusal', () => {
    const even = customFormat('an even number', (value) => {
      if (typeof value !== 'number' || value % 2 !== 0) throw new Error('it is odd');
      return value;
    });
    const schema = defineSchema('E', { n: { doc: '', format: even } });
    expect(() => schema.parse({ n: 3 })).toThrow('n: expected an even number, got the number 3: it is odd');
  });

  it('a union reports the complaints of the one alternative that has the shape', () => {
    const schema = defineSchema('U', { m: { doc: '', format: oneOf('int', prednet) } });
    expect(() => schema.parse({ m: { pred_hidden: 'x' } })).toThrow(
      'm.pred_hidden: expected an integer, got the text "x"',
    );
    expect(schema.parse({ m: { pred_hidden: 4 } }).m).toEqual({ pred_hidden: 4, dropout: 0 });
  });

  it('extra keys are kept where a schema asks for it', () => {
    const schema = defineSchema('Open', { a: { doc: '', format: 'int', default: 1 } }, { extra: 'number' });
    expect(schema.parse({ b: 2 })).toEqual({ a: 1, b: 2 });
    expect(() => schema.parse({ b: 'x' })).toThrow('b: expected a number');
  });
});

describe('warnings', () => {
  it('tell what happens instead, in one list; asking for nothing is no warning', () => {
    const config = configFromText(
      'model:\n  vocab_size: 1\n  pin_memory: true\n  create_wandb_logger: false',
      [],
      { file: 'c.yaml' },
    );
    const warnings: ConfigWarning[] = [];
    decoder.parse(config.model, { warnings });
    expect(formatWarnings(warnings)).toBe(
      'These keys of the config have no effect:\n' +
        '  c.yaml:3:3: model.pin_memory: "pin_memory" has no effect: Node has no pinned memory\n',
    );
  });
});

describe('documents', () => {
  const schema = defineSchema(
    'Joint',
    {
      activation: { doc: 'Non-linearity | of the joint.', format: ['relu', 'tanh'], default: 'relu' },
      net: { doc: 'Sizes.', format: prednet },
      encoder: { doc: 'Encoder.', format: componentConfig('encoder'), optional: true },
    },
    { doc: 'Joins.', ignored: { preserve_memory: 'memory is bounded anyway' } },
  );

  it('Markdown has a row for each key and a section for nested ones', () => {
    const text = schemaToMarkdown(schema);
    expect(text).toContain(
      '| `activation` | one of "relu" or "tanh" | `"relu"` | Non-linearity \\| of the joint. |',
    );
    expect(text).toContain('### Joint: `net`');
    expect(text).toContain(
      '| `pred_hidden` | an integer ≥ 1 | `required` | Size of the prediction network. |',
    );
    expect(text).toContain('- `preserve_memory`: memory is bounded anyway');
  });

  it('help is plain text', () => {
    expect(schemaToHelp(schema)).toContain(
      '  net.dropout  (a number ≥ 0 and < 1; default 0)\n      Dropout.',
    );
  });

  it('JSON Schema lets interpolations pass', () => {
    const json = schemaToJsonSchema(schema) as {
      required: string[];
      properties: Record<string, { anyOf: unknown[] }>;
    };
    expect(json.required).toEqual(['net']);
    expect(json.properties.activation.anyOf).toContainEqual({ enum: ['relu', 'tanh'] });
    expect(json.properties.activation.anyOf).toContainEqual({
      type: 'string',
      pattern: '\\$\\{|^\\?\\?\\?$',
    });
  });
});

describe('numbers', () => {
  const sizes = defineSchema('sizes', {
    whole: { doc: '', format: 'int', optional: true },
    natural: { doc: '', format: 'nat', optional: true },
    count: { doc: '', format: 'count', optional: true },
    number: { doc: '', format: 'number', optional: true },
    bound: { doc: '', format: 'bound', optional: true },
  });
  const message = (yaml: string) =>
    sizes.validate(configFromText(yaml, [], { file: 'a.yaml' })).errors[0]?.message;

  it.each([
    ['number: .inf', 'a.yaml:1:9: number: expected a number, got the number Infinity — it must be finite'],
    ['number: -.inf', 'a.yaml:1:9: number: expected a number, got the number -Infinity — it must be finite'],
    ['number: .nan', 'a.yaml:1:9: number: expected a number, got the number NaN — it must be finite'],
    ['bound: .nan', 'a.yaml:1:8: bound: expected a number, got the number NaN — it must be finite'],
    ['whole: 1e20', 'a.yaml:1:8: whole: expected an integer, got the number 100000000000000000000 — it is too large to be exact'], // biome-ignore format: one line reads better
    [
      'natural: .inf',
      'a.yaml:1:10: natural: expected an integer ≥ 0, got the number Infinity — it must be finite',
    ],
    ['whole: 0.5', 'a.yaml:1:8: whole: expected an integer, got the number 0.5'],
    ['count: 0', 'a.yaml:1:8: count: expected an integer ≥ 1, got the number 0'],
  ])('%s is told', (yaml, text) => {
    expect(message(yaml)).toBe(text);
  });

  it('may be infinite where they bound nothing then', () => {
    expect(message('bound: .inf')).toBeUndefined();
    expect(message('bound: -.inf')).toBeUndefined();
  });
});
