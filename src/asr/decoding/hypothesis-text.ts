// The text of a hypothesis, as NeMo's decodings write it. References do not go through here: NeMo leaves them as the
// tokenizer gives them.
import type { Tokenizer } from '../../text/index.js';
import { vocabularyPunctuation } from './timestamps/offsets.js';

/** What the regular expressions of Python call white space. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';

/**
 * How ids become a hypothesis' text. CTC and transducers (`kind` other than `attention`): one space before each mark
 * of the vocabulary goes away, as in NeMo's `decode_tokens_to_str_with_strip_punctuation`, so that [`x`, `▁`, `'`, `y`]
 * is `x'y`. Marks are those of `vocabularyPunctuation`: a piece that begins with `▁` or `##` gives none.
 */
export function hypothesisText(
  tokenizer: Tokenizer,
  kind: 'rnnt' | 'tdt' | 'ctc' | 'attention',
): (ids: Iterable<number>) => string {
  const marks = kind === 'attention' ? [] : [...vocabularyPunctuation(tokenizer.vocabulary)];
  if (marks.length === 0) return (ids) => tokenizer.idsToText(ids);
  const spaced = new RegExp(`${SPACE}([${marks.map((mark) => `\\u{${mark.codePointAt(0)?.toString(16)}}`).join('')}])`, 'gu'); // biome-ignore format: one pattern
  return (ids) => tokenizer.idsToText(ids).replace(spaced, '$1');
}
