// The container: injection by explicit tokens (under vitest's compiler and under tsx), components by name,
// and an error for every way to misuse either.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { createDefaultContainer } from '../../src/composition.js';
import { type ConfigNode, configFromText, defineSchema } from '../../src/config/index.js';
import { Container, component, defineKind, token } from '../../src/container/index.js';
import {
  adamw,
  CLOCK,
  conformer,
  type Encoder,
  encoderKind,
  fullContainer,
  GREETER,
  Greeter,
  HalfMarked,
  tokenizer,
} from './fixtures.js';
import { walkRegistrations } from './walk-registrations.js';

function section(text: string, key = 'encoder'): ConfigNode {
  return configFromText(text, [], { file: 'c.yaml' })[key] as ConfigNode;
}

describe('services', () => {
  it('are injected by explicit tokens, once each', () => {
    const container = fullContainer();
    const greeter = container.resolve(GREETER);
    expect(greeter.name).toBe('anemone');
    expect(greeter.clock()).toBe(7);
    expect(container.resolve(GREETER)).toBe(greeter);
    expect(walkRegistrations(container)).toBe(4);
  });

  it('are injected under tsx too, which emits no decorator metadata', () => {
    const root = join(import.meta.dirname, '../..');
    const output = execFileSync(process.execPath, ['--import', 'tsx', 'test/container/tsx-check.ts'], {
      cwd: root,
      encoding: 'utf8',
      // Decorators need `experimentalDecorators`, which only a tsconfig that includes the file can give.
      env: { ...process.env, TSX_TSCONFIG_PATH: 'test/tsconfig.json' },
    });
    const line = '{"clock":"function","time":7,"name":"anemone"}';
    expect(output.trim().split('\n')).toEqual([line, line]);
  });

  it('of two containers have nothing in common', () => {
    expect(fullContainer().resolve(GREETER)).not.toBe(fullContainer().resolve(GREETER));
    expect(() => new Container().resolve(GREETER)).toThrow('nothing is registered as "greeter"');
  });

  it('with an unmarked parameter are refused instead of getting undefined', () => {
    expect(() => new Container().registerClass(token('half'), HalfMarked)).toThrow(
      'parameter 2 of the constructor of HalfMarked has no @inject(token)',
    );
  });

  it('that need something unregistered say what, and who needs it', () => {
    const container = new Container()
      .registerFactory(token('outer'), (c) => c.resolve(token('clok')))
      .registerValue(CLOCK, () => 1);
    expect(() => container.resolve(token('outer'))).toThrow(
      'nothing is registered as "clok", needed by outer — did you mean "clock"?',
    );
  });

  it('that need each other in a circle are an error with the path', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => token(name));
    const container = new Container()
      .registerFactory(a, (x) => x.resolve(b))
      .registerFactory(b, (x) => x.resolve(c))
      .registerFactory(c, (x) => x.resolve(a));
    expect(() => container.resolve(b)).toThrow('services need each other in a circle: b → c → a → b');
  });

  it('keep the first error when it happens below a constructor', () => {
    const broken = new Container()
      .registerFactory(CLOCK, (x) => x.resolve(GREETER) as never)
      .registerValue(token('name'), 'x')
      .registerClass(GREETER, Greeter);
    expect(() => broken.resolve(GREETER)).toThrow('greeter → clock → greeter');
  });

  it('cannot be registered once the container is in use', () => {
    const container = fullContainer();
    container.resolve(CLOCK);
    expect(() => container.registerValue(token('late'), 1)).toThrow(
      'cannot register "late": the container is in use since "clock" was built',
    );
    expect(() => container.registerAll([conformer])).toThrow(
      'cannot register the encoder "ConformerEncoder"',
    );
  });

  it('and components cannot share a name', () => {
    expect(() => fullContainer().registerValue(CLOCK, () => 1)).toThrow('"clock" is registered twice');
    expect(() => fullContainer().registerAll([conformer])).toThrow(
      'cannot register the encoder "ConformerEncoder": the name "ConformerEncoder" belongs to the encoder "ConformerEncoder"',
    );
  });
});

describe('instantiate', () => {
  it.each([
    'ConformerEncoder',
    'nemo.collections.asr.modules.ConformerEncoder',
    'asr.modules.ConformerEncoder',
  ])('builds what _target_ names: %s', (name) => {
    const encoder = fullContainer().instantiate(
      section(`encoder: {_target_: ${name}, d_model: 176}`),
      encoderKind,
    );
    expectTypeOf(encoder).toEqualTypeOf<Encoder>();
    expect(encoder).toEqual({ width: 176 });
  });

  it('builds nested components and hands them values', () => {
    const text =
      'model: {_target_: TinyModel, encoder: {_target_: ConformerEncoder, d_model: 8}, optim: {name: adamw, lr: 1e-3}}';
    expect(fullContainer().instantiate(section(text, 'model'), 'model')).toEqual({
      encoder: { width: 8 },
      optim: { lr: 0.001 },
    });
  });

  it('finds what is wrong in nested components together with the rest', () => {
    const text = [
      'model:',
      '  _target_: TinyModel',
      '  encoder: {_target_: ConformerEncoder, d_modle: 8}',
      '  optim: {name: adam, lr: fast}',
      '  extra: 1',
    ].join('\n');
    expect(() => fullContainer().instantiate(section(text, 'model'), 'model')).toThrow(
      [
        '3 errors in the config of TinyModel:',
        '  c.yaml:5:3: model.extra: TinyModel has no key "extra" — known are encoder, optim',
        '  c.yaml:3:41: model.encoder.d_modle: ConformerEncoder has no key "d_modle" — did you mean "d_model"?',
        '  c.yaml:4:17: model.optim: there is no optimizer named "adam" — did you mean "adamw"? Known are adamw',
      ].join('\n'),
    );
  });

  it('lists near names for an unknown one, and knows the classes of NeMo by any module path', () => {
    const build = (name: string) => () =>
      fullContainer().instantiate(section(`encoder: {_target_: ${name}}`), 'encoder');
    expect(build('ConfromerEncoder')).toThrow(
      'c.yaml:1:21: encoder: there is no encoder named "ConfromerEncoder" — did you mean "ConformerEncoder"?',
    );
    expect(build('nemo.collections.asr.modules.ConfromerEncoder')).toThrow(
      'did you mean "ConformerEncoder"?',
    );
    expect(build('nemo.collections.asr.modules.Wav2VecTransformerEncoder')).toThrow(
      "NeMo's Wav2VecTransformerEncoder is not supported — as an encoder, ConformerEncoder",
    );
    // Another path of the same class: what is missing now is a key of it.
    expect(build('nemo.collections.asr.parts.conformer.ConformerEncoder')).toThrow('d_model');
    expect(build('Zipformer')).toThrow('there is no encoder named "Zipformer" — known are ConformerEncoder');
  });

  it('says when a name is of another kind, missing, or not text', () => {
    const build = (text: string) => () => fullContainer().instantiate(section(`encoder: ${text}`), 'encoder');
    expect(build('{_target_: bpe}')).toThrow(
      'expected an encoder here, but "bpe" is a tokenizer — known here: ConformerEncoder',
    );
    expect(build('{d_model: 1}')).toThrow('the key "_target_" must name an encoder');
    expect(build('{_target_: 5}')).toThrow('"_target_" must be the name of an encoder');
    expect(() => fullContainer().instantiate(undefined as never, 'encoder')).toThrow(
      'expected a mapping that describes an encoder, got nothing',
    );
  });

  it('never runs or imports what a name points at', () => {
    const build = () =>
      fullContainer().instantiate(section('encoder: {_target_: os.system, command: rm}'), 'encoder');
    expect(build).toThrow('there is no encoder named "os.system"');
  });

  it('takes a class of the user by name', () => {
    class MyEncoder implements Encoder {
      constructor(readonly width: number) {}
    }
    const mine = component({
      kind: encoderKind,
      name: 'MyEncoder',
      schema: defineSchema('MyEncoder', { size: { doc: 'Width.', format: 'int', default: 4 } }),
      create: ({ size }) => new MyEncoder(size),
    });
    const container = new Container().registerAll([conformer, tokenizer, adamw, mine]);
    expect(container.instantiate(section('encoder: {_target_: MyEncoder}'), encoderKind)).toEqual(
      new MyEncoder(4),
    );
  });

  it('collects the keys without effect of everything it built', () => {
    const container = fullContainer();
    container.instantiate(
      section('encoder: {_target_: ConformerEncoder, d_model: 1, sync_max_audio_length: true}'),
      encoderKind,
    );
    expect(container.warnings).toMatchObject([
      { path: 'encoder.sync_max_audio_length', position: { file: 'c.yaml', line: 1 } },
    ]);
  });
});

describe('kinds', () => {
  interface Vocoder {
    readonly rate: number;
  }
  const vocoderKind = defineKind<Vocoder>('vocoder', 'a vocoder');
  const griffin = component({
    kind: vocoderKind,
    name: 'Griffin',
    schema: defineSchema('Griffin', { rate: { doc: 'Hz.', format: 'int', default: 8000 } }),
    create: ({ rate }): Vocoder => ({ rate }),
  });

  it('are open: one of the user is built, and named in errors by its words', () => {
    const container = new Container().registerAll([griffin]);
    const node = configFromText('{_target_: Griffin, rate: 5}');
    expect(container.instantiate(node, vocoderKind).rate).toBe(5);
    const other = new Container().registerAll([griffin]);
    expect(() => other.instantiate(configFromText('{_target_: Griffin}'), 'encoder')).toThrow(
      /expected an encoder here, but "Griffin" is a vocoder/,
    );
    expect(() => new Container().instantiate(3 as never, vocoderKind)).toThrow(/describes a vocoder/);
  });

  it('that nothing reads are refused, unless they are announced', () => {
    const kinds = [defineKind('encoder'), defineKind('loss')];
    const typo = component({ kind: 'encoders', name: 'Mine', schema: griffin.schema, create: () => 1 });
    expect(() => new Container(kinds).registerAll([typo])).toThrow(
      /"Mine" is a component of kind "encoders", which nothing reads.*"encoder"/,
    );
    expect(() => new Container([defineKind('loss')]).registerAll([griffin])).toThrow(
      /kinds are loss; one of your own/,
    );
    const announced = new Container(kinds).readKinds([vocoderKind]).registerAll([griffin]);
    expect(announced.components.list('vocoder')).toHaveLength(1);
    expect(() => createDefaultContainer().registerAll([griffin])).toThrow(/readKinds/);
  });
});
