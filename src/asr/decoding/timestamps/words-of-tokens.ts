// Which tokens make up which word of the text, for the confidence of words.

/**
 * Indices of the tokens of each word. With subwords a word begins at a token with a mark of its own (`▁the`, whose
 * text is `the`) or after `<unk>`, and a `▁` alone before another such token is no word; with characters words lie
 * between spaces, which belong to none.
 */
export function wordsOfTokens(tokens: readonly string[], texts: readonly string[]): number[][] {
  const words: number[][] = [];
  let open: number[] = [];
  const finish = (): void => {
    const isMarkOnly = open.length > 0 && tokens[open[open.length - 1]] === '▁';
    if (open.length > 0 && !isMarkOnly) words.push(open);
    open = [];
  };
  tokens.forEach((token, i) => {
    if (token === ' ') {
      finish();
      return;
    }
    if (token !== texts[i] || tokens[i - 1] === '<unk>') finish();
    open.push(i);
  });
  finish();
  return words;
}
