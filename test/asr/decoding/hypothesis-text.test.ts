// Texts of hypotheses against those that NeMo 2.7.3 wrote (test/golden/scripts/nemo_texts.py).
import { describe, expect, it } from 'vitest';
import { hypothesisText } from '../../../src/asr/decoding/hypothesis-text.js';
import { vocabularyPunctuation } from '../../../src/asr/decoding/timestamps/offsets.js';
import { AggregateTokenizer, CharTokenizer, SentencePieceTokenizer } from '../../../src/text/index.js';
import { fixtureBytes, golden } from '../../text/fixtures.js';

interface Golden {
  readonly labels: readonly string[];
  readonly texts: Readonly<
    Record<string, { marks: string[]; rows: { ids: number[]; hypothesis: string; reference: string }[] }>
  >;
}

const { labels, texts } = golden<Golden>('hypothesis_texts.json');
const sentencePiece = () => SentencePieceTokenizer.fromBytes(fixtureBytes('test_model.model'));
const tokenizers = {
  sentencepiece: sentencePiece(),
  characters: new CharTokenizer([...labels]),
  aggregate: new AggregateTokenizer([
    ['xx', sentencePiece()],
    ['yy', sentencePiece()],
  ]),
};

describe('a space before a mark of the vocabulary', () => {
  it.each(Object.keys(texts))('%s: goes away in hypotheses and stays in references, as in NeMo', (name) => {
    const [kind, of] = name.split('_') as ['ctc' | 'rnnt', keyof typeof tokenizers];
    const tokenizer = tokenizers[of];
    const { marks, rows } = texts[name];
    expect([...vocabularyPunctuation(tokenizer.vocabulary)].sort()).toEqual([...marks].sort());
    // NeMo leaves the space in front of texts of several tokenizers.
    const plain = (text: string) => (of === 'aggregate' ? text.replace(/^ /, '') : text);
    const text = hypothesisText(tokenizer, kind);
    for (const { ids, hypothesis, reference } of rows) {
      expect(tokenizer.idsToText(ids)).toBe(plain(reference));
      expect(text(ids)).toBe(plain(hypothesis));
    }
    expect(rows.some(({ hypothesis, reference }) => hypothesis !== reference)).toBe(true);
  });

  it('stays in texts of attention decoders, as in NeMo', () => {
    const characters = tokenizers.characters;
    const ids = characters.tokensToIds(['a', ' ', "'", 'b']);
    expect(hypothesisText(characters, 'attention')(ids)).toBe("a 'b");
    expect(hypothesisText(characters, 'tdt')(ids)).toBe("a'b");
  });
});
