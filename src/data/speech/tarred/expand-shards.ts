// Paths of shards as NeMo's configs write them: braces as in bash, their spelling for command lines and Hydra
// (`_OP_`, `_CL_`, brackets), and lists of such, one list a bucket.
import { AnemoneError } from '../../../errors/index.js';

/** A path, or a list of paths and lists. */
export type PathSpec = string | readonly (string | readonly string[])[];

const MOST_SHARDS = 100_000;

/**
 * Every path that `spec` stands for, once, in order: `audio_{0..3}.tar`, `audio__OP_0..3_CL_.tar`, `{a,b}_{00..15}.tar`.
 * @throws AnemoneError `data.shards` for more paths than anybody has
 */
export function expandShards(spec: PathSpec): string[] {
  const patterns = typeof spec === 'string' ? [spec] : spec.flat();
  return [...new Set(patterns.flatMap((path) => expand(withBraces(path))))];
}

function withBraces(path: string): string {
  return (
    path
      .replaceAll('_OP_', '{')
      .replaceAll('_CL_', '}')
      // File names may contain brackets, so brackets count only around a range.
      .replace(/[([<](-?\d+\.\.-?\d+)[)\]>]/g, '{$1}')
  );
}

function expand(path: string): string[] {
  const close = path.indexOf('}');
  const openBrace = path.lastIndexOf('{', close);
  if (close < 0 || openBrace < 0) return [path];
  const inside = path.slice(openBrace + 1, close);
  const choices = rangeOf(inside) ?? inside.split(',');
  if (choices.length === 1 && rangeOf(inside) === undefined) return [path];
  const all = choices.flatMap((choice) => expand(path.slice(0, openBrace) + choice + path.slice(close + 1)));
  if (all.length > MOST_SHARDS) throw tooMany(path);
  return all;
}

/** `0..3` as `0`, `1`, `2`, `3`; leading zeros give the width. */
function rangeOf(text: string): string[] | undefined {
  const match = /^(-?\d+)\.\.(-?\d+)$/.exec(text);
  if (!match) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  if (Math.abs(last - first) >= MOST_SHARDS) throw tooMany(text);
  const padded = [match[1], match[2]].some((end) => /^-?0\d/.test(end));
  const width = padded ? Math.max(match[1].length, match[2].length) : 0;
  const step = last < first ? -1 : 1;
  return Array.from({ length: Math.abs(last - first) + 1 }, (_, i) =>
    String(first + step * i).padStart(width, '0'),
  );
}

function tooMany(text: string): AnemoneError {
  return new AnemoneError({
    code: 'data.shards',
    message: `${text} stands for more than ${MOST_SHARDS} paths`,
    hint: 'check the range in braces',
  });
}
