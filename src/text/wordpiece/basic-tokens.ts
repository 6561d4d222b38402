// The first half of BERT's tokenization (Devlin et al. 2019): a text becomes words and single marks. Hugging Face's
// BasicTokenizer, which NeMo uses; cutting words into pieces is in wordpiece-tokenizer.ts.

export interface BasicOptions {
  /** Lower-case, and strip accents unless told otherwise. */
  readonly lowercase: boolean;
  /** Default: as `lowercase` says. */
  readonly stripAccents?: boolean;
}

/** Words and marks of a text: controls are dropped, ideographs and punctuation stand alone. */
export function basicTokens(text: string, { lowercase, stripAccents = lowercase }: BasicOptions): string[] {
  let clean = '';
  for (const character of text) {
    if (/[\t\n\r\p{Zs}]/u.test(character)) clean += ' ';
    else if (isIdeograph(character)) clean += ` ${character} `;
    else if (character !== '\uFFFD' && !/\p{C}/u.test(character)) clean += character;
  }
  return clean
    .normalize('NFC')
    .split(/\s+/u)
    .flatMap((word) => {
      const cased = lowercase ? word.toLowerCase() : word;
      return atPunctuation(stripAccents ? cased.normalize('NFD').replace(/\p{Mn}/gu, '') : cased);
    });
}

/** Everything in ASCII that is no letter, digit or control counts as punctuation. */
const MARK = /[!-/:-@[-`{-~\p{P}]/u;

function atPunctuation(word: string): string[] {
  const parts: string[] = [];
  let open = '';
  for (const character of word) {
    if (!MARK.test(character)) {
      open += character;
      continue;
    }
    if (open !== '') parts.push(open);
    parts.push(character);
    open = '';
  }
  if (open !== '') parts.push(open);
  return parts;
}

/** CJK ideographs; kana and hangul are written with words and stay together. */
const IDEOGRAPHS: readonly (readonly [number, number])[] = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b820, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
];

function isIdeograph(character: string): boolean {
  const code = character.codePointAt(0) as number;
  return code >= 0x3400 && IDEOGRAPHS.some(([from, to]) => code >= from && code <= to);
}
