// The task: strings of one to seven English digits, each spoken as its word. "oh" for zero is left out.

export const DIGIT_WORDS = [
  'zero',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
] as const;

export const MAX_STRING_LENGTH = 7;

/** The reference text of a digit string, e.g. `[4, 0]` gives `four zero`. */
export function wordsOf(digits: readonly number[]): string {
  return digits.map((digit) => DIGIT_WORDS[digit]).join(' ');
}
