// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of configs look like templates
// Loading: positions of everything, NeMo's YAML unchanged, errors with their places, merging, printing,
// and input meant to do harm.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  configFromObject,
  configFromText,
  isMissing,
  loadConfig,
  mergeConfigs,
  pathOf,
  positionOf,
  resolveConfig,
  selectValue,
  toYaml,
  withOverrides,
  writtenAsFloat,
} from '../../src/config/index.js';
import { AnemoneError, AnemoneErrors } from '../../src/errors/index.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (text: string, overrides: string[] = []) =>
  configFromText(text, overrides, { file: 'c.yaml', env: {} });

function errorOf(run: () => unknown): AnemoneError {
  try {
    run();
  } catch (error) {
    if (error instanceof AnemoneError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

describe("NeMo's YAML", () => {
  const file = join(import.meta.dirname, 'nemo_conformer_transducer.yaml');

  it('loads unchanged, interpolated', () => {
    const cfg = loadConfig(file);
    expect(selectValue(cfg, 'model.optim.sched.d_model')).toBe(512);
    expect(selectValue(cfg, 'model.optim.weight_decay')).toBe(0.001);
    expect(selectValue(cfg, 'model.optim.sched.min_lr')).toBe(1e-6);
    expect(selectValue(cfg, 'model.decoder.prednet.pred_hidden')).toBe(640);
    expect(selectValue(cfg, 'model.validation_ds.shuffle')).toBe(false);
    expect(cfg.trainer.enable_checkpointing).toBe(false);
    expect(cfg.exp_manager.name).toBe('Conformer-Transducer-BPE');
    expect(writtenAsFloat(cfg.trainer, 'val_check_interval')).toBe(true);
    expect(writtenAsFloat(cfg.trainer, 'max_epochs')).toBe(false);
  });

  it('keeps what must be set as an error at its use, gone once it is set', () => {
    const cfg = loadConfig(file);
    const data = cfg.model.train_ds as unknown as { manifest_filepath: string };
    expect(isMissing(data, 'manifest_filepath')).toBe(true);
    expect(() => data.manifest_filepath).toThrow(
      'nemo_conformer_transducer.yaml:16:24: model.train_ds.manifest_filepath: a value is required here but it is still ???',
    );
    const set = withOverrides(cfg, [
      'model.train_ds.manifest_filepath=train.json',
      'model.encoder.d_model=176',
    ]);
    expect(selectValue(set, 'model.train_ds.manifest_filepath')).toBe('train.json');
    expect(selectValue(set, 'model.optim.sched.d_model')).toBe(176);
    expect(selectValue(cfg, 'model.optim.sched.d_model')).toBe(512);
  });
});

describe('positions', () => {
  const text =
    'a:\n  b: 1\n  list:\n    - x\n    - {c: 2}\nd: &anchor\n  e: 3\nf:\n  <<: *anchor\n  g: ${a.b}\n';
  const cfg = read(text, ['a.b=7']);
  const at = (path: string, key: string | number) =>
    positionOf(path === '' ? cfg : selectValue(cfg, path), key);

  it('are known for every value', () => {
    expect(at('', 'a')).toEqual({ file: 'c.yaml', line: 1, column: 1 });
    expect(at('a.list', 0)).toEqual({ file: 'c.yaml', line: 4, column: 7 });
    expect(at('a.list.1', 'c')).toEqual({ file: 'c.yaml', line: 5, column: 11 });
    expect(at('f', 'g')).toEqual({ file: 'c.yaml', line: 10, column: 6 });
    expect(pathOf(selectValue(cfg, 'a.list.1'))).toBe('a.list.1');
  });

  it('of merged keys are where they were written', () => {
    expect(at('f', 'e')).toEqual({ file: 'c.yaml', line: 7, column: 6 });
  });

  it('of overridden values are the override', () => {
    expect(at('a', 'b')).toEqual({ file: 'override a.b=7' });
    expect(selectValue(cfg, 'f.g')).toBe(7);
  });

  it('are undefined for values made in code', () => {
    expect(positionOf({ a: 1 }, 'a')).toBeUndefined();
    expect(pathOf({ a: 1 })).toBe('');
  });
});

describe('values', () => {
  it('are frozen and without prototype', () => {
    const cfg = read('a: {b: [1]}');
    expect(Object.isFrozen(cfg) && Object.isFrozen(cfg.a)).toBe(true);
    expect(Object.getPrototypeOf(cfg)).toBeNull();
    expect(cfg.toString).toBeUndefined();
    expect(() => Object.assign(cfg, { x: 1 })).toThrow(TypeError);
  });

  it('come from plain objects as from YAML', () => {
    const cfg = configFromObject({ a: 1, b: '${a}', c: '???' }, ['a=2']);
    expect(cfg.b).toBe(2);
    expect(isMissing(cfg, 'c')).toBe(true);
  });

  it('merge keys: written keys win over merged ones, earlier mappings over later ones', () => {
    const cfg = read('x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n');
    expect(resolveConfig(cfg).z).toEqual({ a: 1, b: 1, c: 3 });
  });

  it('of several files are merged, later ones winning', () => {
    writeFileSync(join(folder, 'one.yaml'), 'a: {x: 1, y: 2}\nl: [1, 2]\nr: ${a.x}\n');
    writeFileSync(join(folder, 'two.yaml'), 'a: {x: 10}\nl: [3]\nn: new\n');
    const paths = [join(folder, 'one.yaml'), join(folder, 'two.yaml')];
    const expected = { a: { x: 10, y: 2 }, l: [3], r: 10, n: 'new' };
    expect(resolveConfig(loadConfig(paths))).toEqual(expected);
    expect(resolveConfig(mergeConfigs(loadConfig(paths[0]), loadConfig(paths[1])))).toEqual(expected);
  });

  it('from resolvers of the user', () => {
    const cfg = configFromText('a: ${twice:${b}}\nb: 4', [], {
      resolvers: { twice: ([x]) => Number(x) * 2 },
    });
    expect(cfg.a).toBe(8);
  });

  it('of ${now:} are one moment for the whole config', () => {
    const now = new Date(2026, 10, 23, 9, 5, 7);
    const cfg = configFromText('a: run_${now:%Y-%m-%d_%H-%M-%S}', [], { now });
    expect(cfg.a).toBe('run_2026-11-23_09-05-07');
  });
});

describe('errors of interpolation', () => {
  it('show the whole circle', () => {
    const error = errorOf(() => read('a: ${b}\nb: {c: "x${d.e}"}\nd:\n  e: ${a}\n'));
    expect(error.code).toBe('config.cycle');
    expect(error.message).toBe(
      'c.yaml:1:4: interpolations go in a circle: a → b → b.c → d.e → a — give one of them a value',
    );
    expect(errorOf(() => read('a: ${a}')).message).toContain('circle: a → a');
    expect(errorOf(() => read('a: {b: "${a}"}')).message).toContain('circle: a → a.b → a');
  });

  it('are all found, each at its place, each root once', () => {
    const error = errorOf(() =>
      read(
        'm:\n  size: 1\na: ${m.sise}\nb: ${a}\nc: ${nope:1}\nd: ${..x}\ne: "${m}!"\nf: ${oc.env:NOT_SET}\ng: ${m',
      ),
    );
    expect(error).toBeInstanceOf(AnemoneErrors);
    expect((error as AnemoneErrors).errors.map((e) => e.message)).toEqual([
      'c.yaml:3:4: a: ${m.sise} refers to "sise", which does not exist in m — did you mean "size"?',
      'c.yaml:5:4: c: ${nope:1} calls "nope", which does not exist — did you mean "now"?',
      'c.yaml:6:4: d: ${..x} goes above the top of the config — one dot means beside this value, so at most 1 dots fit here',
      'c.yaml:7:4: e: ${m} is a mapping and cannot be part of a string',
      'c.yaml:8:4: f: the environment variable NOT_SET is not set and no default is given — export it, or write ${oc.env:NOT_SET,default}',
      'c.yaml:9:4: g: cannot read "${m": "${" is never closed with "}" (character 1)',
    ]);
  });
});

describe('errors of files', () => {
  const broken = (text: string) => errorOf(() => read(text)).message;

  it('name the line', () => {
    expect(broken('a: 1\na: 2\nb: {c: 1, c: 2}')).toBe(
      [
        'c.yaml: keys that appear twice',
        '  c.yaml:2:1: the key "a" appears twice in one mapping, first on line 1 — keep one of them',
        '  c.yaml:3:11: the key "c" appears twice in one mapping, first on line 3 — keep one of them',
      ].join('\n'),
    );
    expect(broken('a: 1\n\tb: 2')).toMatch(/^c\.yaml:2:\d+: not valid YAML: .* — indent with spaces$/);
    expect(broken('a: [1, 2\nb: 3')).toMatch(/^c\.yaml:2:1: not valid YAML|c\.yaml:2:1/);
    expect(broken('- 1\n- 2')).toBe('c.yaml:1:1: a config must be a mapping of keys to values');
    expect(broken('a: *nothing')).toMatch(/c\.yaml:1:4: .*nothing/);
    expect(broken('a: 12345678901234567890')).toMatch(
      'c.yaml:1:4: the integer 12345678901234567890 is beyond ±2^53',
    );
    expect(broken('a: !!int x')).toBe('c.yaml:1:10: "x" is not a YAML int');
    expect(broken('a: 1\n---\nb: 2')).toMatch(/c\.yaml/);
  });

  it('of missing files suggest the nearest name', () => {
    writeFileSync(join(folder, 'quickstart.yaml'), 'a: 1');
    expect(errorOf(() => loadConfig(join(folder, 'quikstart.yaml'))).message).toMatch(
      /there is no file .* — did you mean "quickstart"\?/,
    );
    expect(errorOf(() => loadConfig('/no/such/x.yaml')).message).toContain('there is no folder /no/such');
    expect(errorOf(() => loadConfig(folder)).message).toContain('is a folder');
    writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    expect(errorOf(() => loadConfig(join(folder, 'latin1.yaml'))).message).toContain('it is not UTF-8 text');
  });

  it('empty text is an empty config; a byte-order mark and CRLF do no harm', () => {
    expect(resolveConfig(read(''))).toEqual({});
    expect(resolveConfig(read('# only a comment\n'))).toEqual({});
    expect(resolveConfig(read('\ufeffa: 1\r\nb: x\r\n'))).toEqual({ a: 1, b: 'x' });
  });
});

describe('errors of overrides', () => {
  it('suggest the key, and how to add one', () => {
    expect(errorOf(() => read('trainer: {max_epochs: 1}', ['trainer.max_epoch=3'])).message).toBe(
      'override trainer.max_epoch=3: there is no "max_epoch" in "trainer" — did you mean "max_epochs"? To add a new key, write +trainer.max_epoch=3',
    );
  });

  it('are all reported', () => {
    const error = errorOf(() => read('a: 1', ['b=1', '+a=2', '~c', 'a.x=1']));
    expect((error as AnemoneErrors).errors.map((e) => e.code)).toEqual([
      'config.override-unknown-key',
      'config.override-exists',
      'config.override-unknown-key',
      'config.override-not-a-mapping',
    ]);
  });

  it('name what is wrong with the text', () => {
    expect(errorOf(() => read('a: 1', ['a'])).message).toContain('has no "="');
    expect(errorOf(() => read('a: 1', ['a=1,2'])).message).toContain('sweep');
    expect(errorOf(() => read('a: 1', ['a=choice(1,2)'])).message).toContain('functions such as choice(...)');
    expect(errorOf(() => read('a: 1', ['a=[1'])).message).toContain('expected "," or "]", found the end');
  });

  it('reach into lists', () => {
    expect(resolveConfig(read('l: [{a: 1}, {a: 2}]', ['l.1.a=5', 'l[0].a=4']))).toEqual({
      l: [{ a: 4 }, { a: 5 }],
    });
    expect(errorOf(() => read('l: [1]', ['l.3=1'])).code).toBe('config.override-unknown-key');
  });
});

describe('input meant to do harm', () => {
  it('cannot reach a prototype', () => {
    for (const text of [
      '__proto__: {polluted: 1}',
      'a: {__proto__: {polluted: 1}}',
      'a: &x {__proto__: 1}\nb: {<<: *x}',
    ]) {
      expect(errorOf(() => read(text)).code).toBe('config.reserved-key');
    }
    for (const override of [
      '+__proto__.polluted=1',
      '++a.__proto__.polluted=1',
      '+b={__proto__:{polluted:1}}',
    ]) {
      expect(errorOf(() => read('a: {}', [override])).message).toMatch(/reserved|no "__proto__"/);
    }
    const cfg = read('constructor: {prototype: {polluted: 1}}\ntoString: 1');
    expect(Object.keys(cfg)).toEqual(['constructor', 'toString']);
    expect(errorOf(() => read('a: ${__proto__.x}')).code).toBe('config.unknown-reference');
    expect(errorOf(() => read('a: {}\nb: "${a.constructor}"')).code).toBe('config.unknown-reference');
    expect(errorOf(() => configFromObject(JSON.parse('{"__proto__": {"polluted": 1}}') as object)).code).toBe(
      'config.reserved-key',
    );
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it('cannot grow: aliases of aliases, interpolations of interpolations, deep nesting', () => {
    const names = 'abcdefghijkl';
    const aliases = [...names].map(
      (n, i) =>
        `${n}: &${n} [${
          i === 0
            ? '1'
            : Array(9)
                .fill(`*${names[i - 1]}`)
                .join(',')
        }]`,
    );
    expect(errorOf(() => read(aliases.join('\n'))).code).toBe('config.too-large');
    const lists = [...names].map(
      (n, i) =>
        `${n}: [${
          i === 0
            ? '1'
            : Array(9)
                .fill(`"\${${names[i - 1]}}"`)
                .join(',')
        }]`,
    );
    expect(errorOf(() => read(lists.join('\n'))).message).toContain('grows beyond');
    const texts = [...names].map(
      (n, i) => `${n}: "${i === 0 ? 'x'.repeat(100) : `\${${names[i - 1]}}`.repeat(9)}"`,
    );
    expect(errorOf(() => read(texts.join('\n'))).message).toContain('becomes longer than');
    expect(errorOf(() => read(`a: ${'['.repeat(5000)}${']'.repeat(5000)}`)).code).toMatch(
      /too-deep|yaml-syntax/,
    );
    expect(errorOf(() => read(`a: "${'${'.repeat(5000)}"`)).code).toBe('config.bad-expression');
    expect(errorOf(() => read('a: 1', [`a=${'['.repeat(5000)}`])).code).toBe('config.bad-expression');
    expect(errorOf(() => read('a: 1', ['+b.c=[1'])).message).toMatch(
      /^override \+b\.c=\[1: b\.c: cannot read/,
    );
    expect(errorOf(() => read('a: &a [*a]')).code).toMatch(/alias-cycle|unknown-alias|yaml-syntax/);
  });

  it('cannot build objects or run code', () => {
    for (const tag of ['!!python/object/apply:os.system', '!!js/function', '!custom', '!!binary', '!!set']) {
      expect(errorOf(() => read(`a: ${tag} {x: 1}`)).code, tag).toBe('config.forbidden-tag');
    }
  });

  it('cannot leave the config folder through a defaults list', () => {
    writeFileSync(join(folder, 'escape.yaml'), 'defaults:\n  - ../../etc/passwd\n');
    expect(errorOf(() => loadConfig(join(folder, 'escape.yaml'))).code).toMatch(
      /outside-folder|option-not-found/,
    );
  });

  it('never ends in anything but a config or an AnemoneError', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '\n',
      '  ',
      '- ',
      '${',
      '}',
      '.',
      '[',
      ']',
      '{',
      ',',
      '"',
      "'",
      '&x ',
      '*x',
      '<<',
      '?',
      '1e3',
      '!!',
      '#',
      '\\',
      '???',
      '|',
      '\t',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(piece, { maxLength: 8 }), (text, override) => {
        try {
          read(text.join(''), [override.join('')]);
        } catch (error) {
          expect(error).toBeInstanceOf(AnemoneError);
        }
      }),
      { numRuns: 600, seed: 5 },
    );
  });
});

describe('toYaml', () => {
  it('prints the effective config', () => {
    const cfg = read(
      'a: {b: 1.0, c: "${a.b}", d: ???}\nl: [0.9, x]\nm: [{p: 1}, []]\ne: {}\nlr: 1e-5\nt: "yes"\n',
    );
    expect(toYaml(cfg)).toBe(
      'a:\n  b: 1.0\n  c: 1.0\n  d: ???\nl: [0.9, x]\nm:\n  - p: 1\n  - []\ne: {}\nlr: 1e-05\nt: "yes"\n',
    );
  });

  it('can say where each value comes from', () => {
    expect(toYaml(read('a:\n  b: 1\nc: 2', ['c=3']), { positions: true })).toBe(
      'a:  # c.yaml:1:1\n  b: 1  # c.yaml:2:6\nc: 3  # override c=3\n',
    );
  });

  it('reads back as the same config, whatever the values', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '${x}',
        '\\${x}',
        '\\\\${y',
        'yes',
        '1e3',
        '0x1F',
        '1:30',
        '- a',
        'a: b',
        'a #b',
        '',
        ' ',
        '~',
        '<<',
        '*a',
        '&b',
        '!c',
        '%',
        '@',
        '`',
        '|',
        '>',
        "it's",
        '"q"',
        'a,b',
        '[x',
        'null',
        '.inf',
        '\ud800'.length > 1 ? '' : 'é',
        '日本語',
        '= x',
        '?',
        '? x',
        '-',
        '--- a',
        '...',
      ),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    );
    const key = fc.string({ unit: 'grapheme', minLength: 0, maxLength: 6 }).filter((k) => k !== '__proto__');
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('node'), { maxLength: 4 }),
        fc.dictionary(key, tie('node'), { maxKeys: 4 }),
      ),
    })).node;
    const escapeTexts = (value: unknown): unknown => {
      if (typeof value === 'string') return value === '???' ? '' : value.replace(/(\\*)\$\{/g, '$1$1\\${');
      if (Array.isArray(value)) return value.map(escapeTexts);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, escapeTexts(v)]));
    };
    fc.assert(
      fc.property(fc.dictionary(key, tree, { maxKeys: 5 }), (object) => {
        const first = configFromObject(escapeTexts(object) as object);
        const again = configFromText(toYaml(first));
        expect(resolveConfig(again)).toEqual(resolveConfig(first));
        expect(toYaml(again)).toBe(toYaml(first));
      }),
      { numRuns: 150, seed: 3 },
    );
  });
});
