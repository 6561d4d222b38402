import { afterEach, expect, it, vi } from 'vitest';
import { tell } from '../../src/cli/print.js';

afterEach(() => vi.restoreAllMocks());

function told(text: string): string {
  let out = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    out += String(chunk);
    return true;
  });
  tell(text);
  return out;
}

it('a line with the name of a stranger in it stays one that can be read, with its beginning and its end', () => {
  const line = `error: c.yaml:1:1: unknown key "${'a\u001b'.repeat(100_000)}" — drop it`;
  const out = told(`first\n${line}\nlast\n`);
  expect(out.length).toBeLessThan(4200);
  expect(out).toMatch(
    /^first\nerror: c\.yaml:1:1: unknown key "a.* … \(\d+ characters left out\) … .*" — drop it\nlast\n$/,
  );
  expect(told('short\n')).toBe('short\n');
});
