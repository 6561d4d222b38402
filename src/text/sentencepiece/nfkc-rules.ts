// The replacement rules behind the normalisation names `nfkc` and `nmt_nfkc` (and their case-folding
// variants), computed from the JavaScript engine's own Unicode tables: every single character that NFKC
// changes, plus every character sequence that composes. SentencePiece ships the same rules as a table made
// with Unicode 13; characters that came later are left out here too, so that a tokenizer trained on any
// Node normalises alike.

/** Code points with a decomposition or a lower case that were assigned after Unicode 13 (some by whole blocks). */
const newerThanUnicode13: readonly (readonly [number, number])[] = [
  [0x1c89, 0x1c8a],
  [0x2c2f, 0x2c2f],
  [0xa7c0, 0xa7c1],
  [0xa7cb, 0xa7f4],
  [0x10570, 0x105ff],
  [0x10780, 0x107bf],
  [0x10d40, 0x10d8f],
  [0x11380, 0x113ff],
  [0x16100, 0x1613f],
  [0x16d40, 0x16d7f],
  [0x16ea0, 0x16edf],
  [0x1ccd6, 0x1ccf9],
  [0x1e030, 0x1e06d],
];

/** No character above the supplementary ideographic plane has a decomposition. */
const lastCodePoint = 0x2ffff;

/** Source string → replacement; of several matching sources the longest wins. */
export type NormalizationRules = Map<string, string>;

/** The rules of `nfkc`. Takes about a second. */
export function nfkcRules(): NormalizationRules {
  const rules: NormalizationRules = new Map();
  const spellings = new Map<string, string[]>(); // decomposed character → characters that decompose to it
  const decomposed = new Set<string>();
  for (let code = 1; code <= lastCodePoint; code++) {
    if (code === 0xd800) code = 0xe000;
    if (isNewer(code)) continue;
    const character = String.fromCodePoint(code);
    const composed = character.normalize('NFKC');
    if (composed !== character) rules.set(character, composed);
    const parts = character.normalize('NFKD');
    if (codePointLength(parts) > 1) decomposed.add(parts);
    else {
      const knownSpellings = spellings.get(parts);
      if (knownSpellings) knownSpellings.push(character);
      else spellings.set(parts, [character]);
    }
  }
  for (const parts of decomposed) {
    const composed = parts.normalize('NFKC');
    if (composed === parts) continue;
    let sources = [''];
    for (const part of parts) {
      const options = spellings.get(part) ?? [part];
      sources = sources.flatMap((source) => options.map((option) => source + option));
    }
    for (const source of sources) if (source !== composed) rules.set(source, composed);
  }
  return withoutRedundant(rules);
}

/** The rules of `nmt_nfkc`: NFKC, white space made plain, control characters dropped, "～" kept. */
export function nmtNfkcRules(): NormalizationRules {
  const rules = nfkcRules();
  for (const code of [9, 10, 12, 13, 0x1680, 0x200b, 0x200c, 0x200e, 0x200f, 0x2028, 0x2029, 0x2581]) {
    rules.set(String.fromCharCode(code), ' ');
  }
  rules.set('\ufeff', ' ');
  rules.set('\ufffd', ' ');
  for (let code = 1; code < 32; code++) {
    if (code < 9 || code === 11 || code > 13) rules.set(String.fromCharCode(code), '');
  }
  for (const code of [0x7f, 0x8f, 0x9f]) rules.set(String.fromCharCode(code), '');
  rules.delete('\uff5e'); // full-width tilde: told apart from the half-width one in Japanese
  return withoutRedundant(rules);
}

/** Adds case folding (one character to one character) to a set of rules: `nfkc_cf`, `nmt_nfkc_cf`. */
export function withCaseFolding(rules: NormalizationRules): NormalizationRules {
  const folded: NormalizationRules = new Map();
  for (const [source, target] of rules) folded.set(source, [...target].map(foldCase).join(''));
  for (let code = 1; code <= 0x1ffff; code++) {
    if (code === 0xd800) code = 0xe000;
    if (isNewer(code)) continue;
    const character = String.fromCodePoint(code);
    const lower = foldCase(character);
    if (lower !== character && !folded.has(character)) folded.set(character, lower);
  }
  return withoutRedundant(folded);
}

function isNewer(code: number): boolean {
  return newerThanUnicode13.some(([from, to]) => code >= from && code <= to);
}

/** Simple case folding: lower(upper(c)) where both stay single characters, but for two oddities of Unicode. */
function foldCase(character: string): string {
  if (character === '\u0131') return character; // dotless i: not the same letter as i
  const upper = character.toUpperCase();
  if (/\p{Script=Cherokee}/u.test(character)) return upper; // whose capitals were there first
  const lower = (codePointLength(upper) === 1 ? upper : character).toLowerCase();
  return codePointLength(lower) === 1 ? lower : character;
}

/** Drops the rules for sequences that shorter rules already turn into the same text. */
function withoutRedundant(rules: NormalizationRules): NormalizationRules {
  const byLength: [string, string][][] = [];
  for (const entry of rules) {
    const length = codePointLength(entry[0]);
    byLength[length] ??= [];
    byLength[length].push(entry);
  }
  const keptRules: NormalizationRules = new Map(byLength[1]);
  for (let length = 2; length < byLength.length; length++) {
    const neededRules = (byLength[length] ?? []).filter(
      ([source, target]) => applyRules(keptRules, source, length - 1) !== target,
    );
    for (const [source, target] of neededRules) keptRules.set(source, target);
  }
  return keptRules;
}

function applyRules(rules: NormalizationRules, text: string, maxLength: number): string {
  const characters = [...text];
  let result = '';
  for (let i = 0; i < characters.length; ) {
    let length = Math.min(maxLength, characters.length - i);
    let target: string | undefined;
    for (; length > 0; length--) {
      target = rules.get(characters.slice(i, i + length).join(''));
      if (target !== undefined) break;
    }
    result += target ?? characters[i];
    i += Math.max(1, length);
  }
  return result;
}

function codePointLength(text: string): number {
  if (text.length < 2) return text.length;
  let length = 0;
  for (const _ of text) length++;
  return length;
}
