// YAML of strangers: small files that once took minutes or gigabytes.
import { describe, expect, it } from 'vitest';
import { configFromText } from '../../src/config/index.js';
import { AnemoneError } from '../../src/errors/index.js';

function codeOf(text: string): string {
  try {
    configFromText(text);
  } catch (error) {
    if (error instanceof AnemoneError) return error.code;
    throw error;
  }
  return 'no error';
}

const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

describe('aliases of YAML', () => {
  it('are found in one walk, however many', () => {
    const many = configFromText(`a: &a 1\nb: [${'*a, '.repeat(20_000)}2]`);
    expect((many['b'] as readonly number[]).length).toBe(20_001);
    const list = configFromText(`b:\n${lines(10_000, (i) => `- &x${i} ${i}\n- *x${i}`)}`)[
      'b'
    ] as readonly number[];
    expect([list[1], list[19_999]]).toEqual([0, 9999]);
  });

  it('mean the anchor that stands last before them', () => {
    const config = configFromText('a: &x 1\nb: *x\nc: &x {y: 2}\nd: *x\ne: {<<: *x, z: 3}\nf: &x 4\n');
    expect(config).toEqual({ a: 1, b: 1, c: { y: 2 }, d: { y: 2 }, e: { y: 2, z: 3 }, f: 4 });
    expect(codeOf('a: *x\nb: &x 1')).toMatch(/^config\.(yaml-syntax|unknown-alias)$/);
    expect(codeOf('a: &x [1, *x]')).toBe('config.alias-cycle');
  });

  it('may not grow into more values than a config has', () => {
    const levels = [...'bcdefghijk'].map(
      (name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghij'[i]}`)}]`,
    );
    expect(codeOf(`a: &a [1,1,1,1,1,1,1,1,1]\n${levels.join('\n')}`)).toBe('config.too-large');
    const merges = lines(2000, (i) => `k${i}: {<<: *m}`);
    expect(codeOf(`m: &m {${lines(200, (i) => `a${i}: 1`).replaceAll('\n', ', ')}}\n${merges}`)).toBe(
      'config.too-large',
    );
  });
});

it('several documents in one file are refused at the second', () => {
  expect(() => configFromText('a: 1\n---\nb: 2\n', [], { file: 'c.yaml' })).toThrow(
    /^c\.yaml:2:1: not valid YAML: the file holds several documents/,
  );
});

describe('a config that is too much', () => {
  it('is refused before it is parsed', () => {
    expect(codeOf(`a: "${'x'.repeat(1e7)}"`)).toBe('config.too-large');
    expect(codeOf(`a: [${'1,'.repeat(600_000)}]`)).toBe('config.too-large');
    expect(codeOf('a:\n'.repeat(600_000))).toBe('config.too-large');
  });

  it('is refused where it nests too deep', () => {
    for (const deep of [`${'['.repeat(5000)}`, `${'{a: '.repeat(5000)}`, `\n ${'- '.repeat(5000)}1`]) {
      expect(codeOf(`a: ${deep}`)).toMatch(/^config\.(too-deep|yaml-syntax)$/);
    }
  });

  it('is refused as it comes in, however deep: what would compose it never runs', () => {
    const blocks = lines(600, (i) => `${' '.repeat(i)}a:`);
    const deep = [
      '['.repeat(300_000),
      '{a: '.repeat(300_000),
      `${'- '.repeat(300_000)}1`,
      '? '.repeat(300_000),
    ];
    for (const text of [...deep, `a: ${deep[0]}`, blocks]) {
      expect(() => configFromText(text, [], { file: 'c.yaml' })).toThrow(
        /^c\.yaml:\d+:\d+: nested more than 200 levels deep — flatten the config$/,
      );
    }
  });

  it('may nest as deep as is said', () => {
    const nested = (depth: number) => `a: ${'['.repeat(depth)}1${']'.repeat(depth)}
b: |
  text
`;
    const blocks = (depth: number) => lines(depth + 1, (i) => `${' '.repeat(i)}a:`);
    for (const make of [nested, blocks]) {
      expect([codeOf(make(199)), codeOf(make(200))]).toEqual(['no error', 'config.too-deep']);
    }
  });

  it('is refused where its interpolations grow', () => {
    const text = `a: ${'x'.repeat(900_000)}\n`;
    expect(codeOf(`${text}${lines(100, (i) => `k${i}: ${i}\${a}`)}`)).toBe('config.interpolation');
    const list = `a: [${'1,'.repeat(1000)}1]\n`;
    expect(codeOf(`${list}${lines(5000, (i) => `k${i}: \${oc.create:\${a}}`)}`)).toMatch(
      /^config\.(too-large|interpolation)$/,
    );
  });

  it('tells the first mistakes of very many', () => {
    try {
      configFromText(lines(20_000, (i) => `key${i}: \${nope${i}}`));
      expect.unreachable();
    } catch (error) {
      expect((error as AnemoneError).code).toBe('config.interpolation');
      expect((error as AnemoneError).message.split('\n').length).toBeLessThan(60);
    }
    expect(codeOf(lines(3000, () => 'a: ]'))).toBe('config.yaml-syntax');
  });
});
