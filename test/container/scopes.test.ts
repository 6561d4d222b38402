// Scopes: what is registered in one is seen there alone, and a service lives as far out as what it is made of. What
// components and classes have injected, and how a service that is missing is told.
import { describe, expect, expectTypeOf, it } from 'vitest';
import { configFromText, defineSchema } from '../../src/config/index.js';
import {
  type BuildContext,
  CONFIG_WARNINGS,
  Container,
  component,
  defineKind,
  inject,
  LOG,
  READ_FILE,
  SEED,
  token,
} from '../../src/container/index.js';

const NAME = token<string>('scoped-name');
const GREETING = token<{ readonly text: string }>('greeting');
const greeting = (container: BuildContext) => ({ text: `hello ${container.resolve(NAME)}` });

describe('a scope', () => {
  it('sees what is around it, and keeps its own to itself', () => {
    const outer = new Container().registerValue(NAME, 'outer');
    const inner = outer.scope().registerValue(NAME, 'inner');
    expect(outer.scope().resolve(NAME)).toBe('outer');
    expect(inner.resolve(NAME)).toBe('inner');
    expect(inner.scope().resolve(NAME)).toBe('inner');
    expect(outer.resolve(NAME)).toBe('outer');
  });

  it('shares a service with the others unless it was made of something of its own', () => {
    const outer = new Container().registerValue(NAME, 'outer').registerFactory(GREETING, greeting);
    const [plain, other] = [outer.scope(), outer.scope()];
    const own = outer.scope().registerValue(NAME, 'own');
    expect(plain.resolve(GREETING)).toBe(other.resolve(GREETING));
    expect(own.resolve(GREETING).text).toBe('hello own');
    expect(own.resolve(GREETING)).toBe(own.scope().resolve(GREETING));
    expect(outer.resolve(GREETING)).toBe(plain.resolve(GREETING));
    expect(outer.resolve(GREETING).text).toBe('hello outer');
  });

  it('lets a service of the outer container need one that only scopes have', () => {
    const outer = new Container().registerFactory(GREETING, greeting);
    const [first, second] = ['a', 'b'].map((name) => outer.scope().registerValue(NAME, name));
    expect([first, second].map((scope) => scope.resolve(GREETING).text)).toEqual(['hello a', 'hello b']);
    expect(() => outer.resolve(GREETING)).toThrow(
      'nothing is registered as "scoped-name", needed by greeting',
    );
  });

  it('is not asked by a service of others that looks for more later', () => {
    const LATE = token<() => number>('late-seed');
    const outer = new Container().registerFactory(LATE, (container) => () => container.resolve(SEED));
    const asked = outer.scope().registerValue(SEED, 5);
    expect(asked.resolve(LATE)()).toBe(0);
  });

  it('may put its own around the one of the container', () => {
    const lines: string[] = [];
    const outer = new Container().registerValue(LOG, (line) => void lines.push(line));
    const inner = outer.scope().registerFactory(LOG, () => {
      const log = outer.resolve(LOG);
      return (line) => log(`inner: ${line}`);
    });
    inner.resolve(LOG)('x');
    expect(lines).toEqual(['inner: x']);
    expect(inner.resolve(LOG)).toBe(inner.scope().resolve(LOG));
  });

  it('has defaults that lose to what anybody registered, near or far', () => {
    const scope = new Container()
      .registerValue(SEED, 7)
      .scope()
      .registerDefault(SEED, () => 1);
    expect(scope.resolve(SEED)).toBe(7);
    const outer = new Container();
    const other = outer.scope().registerDefault(SEED, () => 1);
    outer.registerValue(SEED, 9);
    expect(other.resolve(SEED)).toBe(9);
    expect(
      new Container()
        .scope()
        .registerDefault(SEED, () => 1)
        .resolve(SEED),
    ).toBe(1);
  });

  it('that is in use keeps what it used from being replaced, and no more', () => {
    const outer = new Container();
    outer.scope().resolve(SEED);
    expect(() => outer.registerValue(SEED, 1)).toThrow('cannot register "seed": the container is in use');
    expect(outer.registerValue(NAME, 'later').resolve(NAME)).toBe('later');
  });

  it('that builds a component closes the list of components it shares', () => {
    const kind = defineKind<number>('number');
    const one = (name: string) => component({ kind, name, schema: defineSchema(name, {}), create: () => 1 });
    const outer = new Container().registerAll([one('One')]);
    outer.scope().instantiate(configFromText('{_target_: One}'), kind);
    expect(() => outer.registerAll([one('Two')])).toThrow('cannot register the number "Two"');
  });

  it('makes a service anew that was let go, and what was made of it', () => {
    const container = new Container()
      .registerFactory(NAME, () => 'x')
      .registerFactory(GREETING, greeting)
      .registerFactory(token<object>('alone'), () => ({}));
    const [before, alone] = [container.resolve(GREETING), container.resolve(token<object>('alone'))];
    container.forget(NAME);
    expect(container.resolve(GREETING)).not.toBe(before);
    expect(container.resolve(token<object>('alone'))).toBe(alone);
  });
});

describe('services that nobody registered', () => {
  it('are what their tokens fall back on', () => {
    const container = new Container();
    expect(container.resolve(SEED)).toBe(0);
    expect(container.resolve(LOG)('nobody hears it')).toBeUndefined();
    expect(Buffer.from(container.resolve(READ_FILE)('package.json')).toString()).toContain('anemone');
    expect([container.has(SEED), container.has(NAME), container.isRegistered(SEED)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('tell the log of the scope about keys without effect', () => {
    const lines: string[] = [];
    const outer = new Container();
    outer.resolve(CONFIG_WARNINGS)([{ path: 'a', position: undefined, message: '"a" has no effect' }]);
    const scope = outer.scope().registerValue(LOG, (line) => void lines.push(line));
    scope.resolve(CONFIG_WARNINGS)([{ path: 'b', position: undefined, message: '"b" has no effect' }]);
    scope.resolve(CONFIG_WARNINGS)([]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"b" has no effect');
  });

  it('reach the parameters of classes', () => {
    class Seeded {
      constructor(
        @inject(SEED) readonly seed: number,
        @inject(LOG) readonly log: (line: string) => void,
      ) {}
    }
    const SEEDED = token<Seeded>('seeded');
    const container = new Container().registerClass(SEEDED, Seeded);
    expect(container.resolve(SEEDED)).toMatchObject({ seed: 0, log: expect.any(Function) });
    expect(container.scope().registerValue(SEED, 4).resolve(SEEDED).seed).toBe(4);
  });
});

describe('a component', () => {
  interface Horn {
    readonly pitch: number;
    readonly seed: number;
    readonly inner: Horn | undefined;
  }
  const hornKind = defineKind<Horn>('horn');
  const schema = defineSchema('Horn', {
    pitch: { doc: 'Hz.', format: 'number', default: 440 },
    inner: { doc: 'Another.', format: 'mapping', nullable: true, default: null },
  });
  const horn = component({
    kind: hornKind,
    name: 'Horn',
    schema,
    inject: { seed: SEED, log: LOG },
    create: ({ pitch, inner }, { seed, log, instantiate, resolve }): Horn => {
      expectTypeOf(seed).toEqualTypeOf<number>();
      expectTypeOf(log).toEqualTypeOf<(line: string) => void>();
      expectTypeOf(resolve(NAME)).toEqualTypeOf<string>();
      log(`${pitch} Hz`);
      return { pitch, seed, inner: inner ? instantiate(inner as never, hornKind) : undefined };
    },
  });

  it('gets what it wants injected, of the scope that builds it, beside what every component gets', () => {
    const lines: string[] = [];
    const scope = new Container()
      .registerAll([horn])
      .registerValue(NAME, 'x')
      .scope()
      .registerValue(SEED, 3)
      .registerValue(LOG, (line) => void lines.push(line));
    const node = configFromText('{_target_: Horn, pitch: 220, inner: {_target_: Horn}}');
    expect(scope.instantiate(node, hornKind)).toEqual({
      pitch: 220,
      seed: 3,
      inner: { pitch: 440, seed: 3, inner: undefined },
    });
    expect(lines).toEqual(['220 Hz', '440 Hz']);
  });

  it.each([
    ['injected', { inject: { name: token<string>('scoped-nam') }, create: () => 0 }],
    ['asked for', { create: (_: object, { resolve }: BuildContext) => resolve(token('scoped-nam')) }],
  ])('is named with the token when what is %s is not there', (_, how) => {
    const mute = component({ kind: 'horn', name: 'Mute', schema: defineSchema('Mute', {}), ...how });
    const container = new Container().registerAll([mute]).registerValue(NAME, 'x');
    expect(() => container.instantiate(configFromText('{_target_: Mute}'), 'horn')).toThrow(
      'nothing is registered as "scoped-nam", needed by the horn "Mute" — did you mean "scoped-name"?',
    );
  });

  it('cannot call a service what every component gets', () => {
    const define = () =>
      component({ kind: 'horn', name: 'Bad', schema, inject: { instantiate: SEED }, create: () => 0 });
    expect(define).toThrow('Bad cannot have a service injected as "instantiate"');
  });
});
