// Merges from what tokens are: files of tiktoken and SentencePiece have no list of pairs. Any two tokens that are one together
// may be merged, and those that make the better token first (as transformers' converters have it).

/** A token, how early it comes, and its parts. */
export interface RankedToken {
  readonly token: string;
  /** Lower comes first. */
  readonly rank: number;
}

/**
 * @param tokens whose parts are characters that stand for one byte, or characters of text
 * @returns pairs in the order in which they are merged
 */
export function mergesOfRanks(tokens: readonly RankedToken[]): (readonly [string, string])[] {
  const ranks = new Map(tokens.map(({ token, rank }) => [token, rank]));
  const merges: (readonly [string, string])[] = [];
  for (const { token } of [...tokens].sort((a, b) => a.rank - b.rank)) {
    const pairs: { pair: readonly [string, string]; left: number; right: number }[] = [];
    for (let at = 0; at < token.length; ) {
      at += (token.codePointAt(at) as number) > 0xffff ? 2 : 1;
      if (at >= token.length) break;
      const pair = [token.slice(0, at), token.slice(at)] as const;
      const [left, right] = pair.map((part) => ranks.get(part));
      if (left !== undefined && right !== undefined) pairs.push({ pair, left, right });
    }
    pairs.sort((a, b) => a.left - b.left || a.right - b.right);
    for (const { pair } of pairs) merges.push(pair);
  }
  return merges;
}
