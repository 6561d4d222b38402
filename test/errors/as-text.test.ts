import { expect, it } from 'vitest';
import { configFromText } from '../../src/config/index.js';
import { asText } from '../../src/errors/index.js';

it('any value of a config or of JSON has a text, also what String throws for', () => {
  const { bare, list } = configFromText('bare: {a: 1}\nlist: [{a: 1}]');
  const own: unknown = JSON.parse('{"toString":1,"valueOf":2}');
  for (const value of [bare, list, own]) expect(() => String(value)).toThrow(TypeError);
  expect([bare, list, own].map(asText)).toEqual(['{"a":1}', '[{"a":1}]', '{"toString":1,"valueOf":2}']);
  expect(['a', 1, true, null, undefined].map(asText)).toEqual(['a', '1', 'true', 'null', 'undefined']);
});

it.each(['oc.env', 'oc.select', 'oc.deprecated'])('a mapping as argument of %s is told', (name) => {
  const read = () => configFromText(`m: {a: 1}\nx: \${${name}:\${m}}`).x;
  expect(read).not.toThrow(TypeError);
});
