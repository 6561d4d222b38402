// The config language against what OmegaConf and Hydra themselves make of the same texts.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFromText, isMissing, loadConfig } from '../../src/config/index.js';
import { AnemoneError } from '../../src/errors/index.js';
import { type Tagged, tagged, taggedNode } from './tagged.js';

type Case = [string, string[], Tagged];
interface Golden {
  scalars: [string, Tagged][];
  interpolations: { text: string; values: [string, Tagged][] };
  overrides: { text: string; cases: Case[] };
  groups: { files: Record<string, string>; cases: Case[] };
}
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, '../golden/config/omegaconf.json'), 'utf8'),
) as Golden;
const env = { ANEMONE_GOLDEN: '12' };

describe('unquoted scalars', () => {
  it.each(golden.scalars)('%s', (text, expected) => {
    const load = () => tagged(configFromText(`v: ${text}`), 'v');
    if (expected[0] === 'error') expect(load).toThrow(AnemoneError);
    else expect(load()).toEqual(expected);
  });
});

describe('interpolations', () => {
  const lines = golden.interpolations.text.trim().split('\n');
  const values = new Map(golden.interpolations.values);
  const isBad = (line: string) => values.get(line.slice(0, line.indexOf(':')))?.[0] === 'error';
  const good = lines.filter((line) => !isBad(line));

  it.each(golden.interpolations.values)('%s', (key, expected) => {
    const line = lines.find((l) => l.startsWith(`${key}:`)) as string;
    const load = () => configFromText([...good, ...(isBad(line) ? [line] : [])].join('\n'), [], { env });
    if (expected[0] !== 'error') {
      expect(tagged(load(), key)).toEqual(expected);
    } else if (expected[1] === 'InterpolationToMissingValueError') {
      // OmegaConf fails when the value is read; so do we, at the place that needs it.
      const config = load();
      expect(isMissing(config, key)).toBe(true);
      expect(() => config[key]).toThrow(/still \?\?\?/);
    } else {
      expect(load).toThrow(AnemoneError);
    }
  });
});

describe('overrides', () => {
  it.each(golden.overrides.cases)('%s %j', (_, overrides, expected) => {
    const load = () => taggedNode(configFromText(golden.overrides.text, overrides));
    if (expected[0] === 'error') expect(load).toThrow(AnemoneError);
    else expect(load()).toEqual(expected);
  });
});

describe('config groups', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'anemone-config-'));
    for (const [name, text] of Object.entries(golden.groups.files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(golden.groups.cases)('%s %j', (name, overrides, expected) => {
    const load = () => taggedNode(loadConfig(join(folder, `${name}.yaml`), overrides));
    if (expected[0] === 'error') expect(load).toThrow(AnemoneError);
    else expect(sorted(load())).toEqual(sorted(expected));
  });
});

/** Key order after composing differs between the two and means nothing. */
function sorted(value: Tagged): Tagged {
  if (value[0] === 'list') return ['list', value[1].map(sorted)];
  if (value[0] !== 'map') return value;
  const entries = value[1].map(([key, child]): [string, Tagged] => [key, sorted(child)]);
  return ['map', entries.sort(([a], [b]) => a.localeCompare(b))];
}
