// Which tokens make up which word of the text, for the confidence of words.

/**
 * Indices of the tokens of each word. With subwords a word begins at a token with a mark of its own (`▁the`, whose
 * text is `the`) or after `<unk>`, and a `▁` alone before another such token is no word; with characters words lie
 * between spaces, which belong to none. With WordPiece words begin at tokens without `##`.
 */
export function wordsOfTokens(
  tokens: readonly string[],
  texts: readonly string[],
  wordPieces = false,
): number[][] {
  const words: number[][] = [];
  let openWord: number[] = [];
  const finish = (): void => {
    const isMarkOnly = openWord.length > 0 && tokens[openWord[openWord.length - 1]] === '▁';
    if (openWord.length > 0 && !isMarkOnly) words.push(openWord);
    openWord = [];
  };
  tokens.forEach((token, i) => {
    if (token === ' ') {
      finish();
      return;
    }
    const begins = wordPieces ? !token.startsWith('##') : token !== texts[i] || tokens[i - 1] === '<unk>';
    if (begins) finish();
    openWord.push(i);
  });
  finish();
  return words;
}
