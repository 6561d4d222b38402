// Which strings may become pieces: not too long, "▁" only at the edge, one writing system, digits as asked.
import type { ResolvedTrainOptions } from './options.js';
import { inheritedScript, scriptOf } from './scripts.js';

/** Stands for a character outside the vocabulary while training. */
export const UNKNOWN_CODE = 0x2585;
const SPACE_CODE = 0x2581;

/** A test of a candidate given as code points. */
export function makePieceRule(options: ResolvedTrainOptions): (codes: ArrayLike<number>) => boolean {
  const { maxSentencePieceLength, allowWhitespaceOnlyPieces, splitDigits } = options;
  return (codes) => {
    const length = codes.length;
    if (length === 0 || length > maxSentencePieceLength) return false;
    let script = -1;
    for (let i = 0; i < length; i++) {
      const code = codes[i];
      // Unknown characters, tabs (they mark where a special piece stood), spaces and halves of surrogate pairs.
      if (code === UNKNOWN_CODE || code === 9 || code === 0 || code === 32) return false;
      if (code >= 0xd800 && code <= 0xdfff) return false;
      if (code === SPACE_CODE) {
        if (allowWhitespaceOnlyPieces && isAllSpace(codes)) continue;
        if (!spaceAllowed(i, length, options)) return false;
        continue;
      }
      let own = scriptOf(code);
      if (own === inheritedScript) own = script;
      if (isDigit(code)) {
        if (splitDigits && length > 1) return false;
        if (!options.splitByNumber) own = -1;
      }
      if (options.splitByUnicodeScript && own >= 0 && script >= 0 && own !== script) return false;
      script = own;
    }
    return true;
  };
}

function spaceAllowed(at: number, length: number, options: ResolvedTrainOptions): boolean {
  const { treatWhitespaceAsSuffix, splitByWhitespace } = options;
  const isFirst = at === 0;
  const isLast = at === length - 1;
  if (treatWhitespaceAsSuffix) return isLast || (!splitByWhitespace && !isFirst);
  return isFirst || (!splitByWhitespace && !isLast);
}

function isAllSpace(codes: ArrayLike<number>): boolean {
  for (let i = 0; i < codes.length; i++) if (codes[i] !== SPACE_CODE) return false;
  return true;
}

function isDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0xff10 && code <= 0xff19);
}
