// Trains byte-level BPE (Radford et al. 2019): texts are cut into words, words into bytes, and pairs of them merged. What comes
// out is a tokenizer.json that Hugging Face's tokenizers loads too.
import { join } from 'node:path';
import { AnemoneError, didYouMean } from '../../../errors/index.js';
import {
  byteLevelJson,
  byteLevelWords,
  type WordPatternName,
  wordPatternNames,
} from '../../huggingface/families.js';
import { HuggingFaceTokenizer } from '../../huggingface/huggingface-tokenizer.js';
import { JsonNode } from '../../huggingface/json-node.js';
import { type Cutting, cuttingOf } from '../../huggingface/pre-tokenizers.js';
import { writeTokenizerFiles } from '../../tokenizer-files.js';
import { BYTE_CHARACTERS } from '../byte-alphabet.js';
import { learnMerges } from './merge-trainer.js';

/** What is trained. */
export interface ByteBpeTrainOptions {
  /** Tokens, special ones and the 256 bytes included. */
  readonly vocabSize: number;
  /** How texts are cut into words before pairs are counted. Default `gpt2`. */
  readonly words?: WordPatternName;
  /** Pairs that are rarer are not merged. Default 2. */
  readonly minFrequency?: number;
  /** Tokens that stand for themselves, the first of them the end of a text. Default `<|endoftext|>`. */
  readonly specials?: readonly string[];
  readonly onProgress?: (done: number, wanted: number) => void;
}

const END = '<|endoftext|>';
/** Words that are held while counting; beyond, the rarest are let go. */
const MOST_WORDS = 4_000_000;
const encoder = new TextEncoder();

/** Counts words of texts that come one by one, and then learns from them. */
export class ByteBpeTrainer {
  private readonly counts = new Map<string, { count: number }>();
  private readonly cutting: Cutting;
  private readonly words: WordPatternName;
  private readonly specials: readonly string[];
  texts = 0;

  /** @throws AnemoneError `tokenizer.bad-option` */
  constructor(private readonly options: ByteBpeTrainOptions) {
    const { vocabSize, words = 'gpt2', specials = [END], minFrequency = 2 } = options;
    if (!wordPatternNames.includes(words)) throw wrong('words', `there is no "${words}"`, didYouMean(words, wordPatternNames) ?? `one of ${wordPatternNames.join(', ')}`); // biome-ignore format: one line
    const least = 256 + specials.length;
    if (!Number.isInteger(vocabSize) || vocabSize < least)
      throw wrong('vocabSize', `the bytes and ${specials.length} special tokens are ${least} tokens already, got ${vocabSize}`); // biome-ignore format: one line
    if (!Number.isInteger(minFrequency) || minFrequency < 0)
      throw wrong('minFrequency', `expected an integer ≥ 0, got ${minFrequency}`);
    if (new Set(specials).size < specials.length || specials.includes(''))
      throw wrong('specials', 'special tokens are texts, each given once');
    this.words = words;
    this.specials = specials;
    this.cutting = cuttingOf(new JsonNode(byteLevelWords(words), 'words'));
  }

  /** Counts the words of a text. Special tokens in it are no words. */
  add(text: string): void {
    this.texts++;
    for (const part of this.withoutSpecials(text))
      for (const word of this.cutting.cut([part], true)) {
        const known = this.counts.get(word);
        if (known) known.count++;
        else this.counts.set(word.length > 12 ? Buffer.from(word).toString() : word, { count: 1 });
      }
    if (this.counts.size > MOST_WORDS) this.forgetRarest();
  }

  /** Merges pairs until the vocabulary is full. @throws AnemoneError `tokenizer.no-text` where nothing was added */
  train(): HuggingFaceTokenizer {
    const { vocabSize, minFrequency = 2, onProgress } = this.options;
    if (this.counts.size === 0)
      throw new AnemoneError({ code: 'tokenizer.no-text', message: 'there is no text to train on' });
    // Bytes in the order of the characters that they are written as.
    const alphabet = [...BYTE_CHARACTERS].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
    const symbols = [...this.specials, ...alphabet];
    const idOfByte = BYTE_CHARACTERS.map((character) => this.specials.length + alphabet.indexOf(character));
    const words = [...this.counts].map(([word, { count }]) => ({
      symbols: Int32Array.from(encoder.encode(word), (byte) => idOfByte[byte]),
      count,
    }));
    const { tokens, merges } = learnMerges({ symbols, words, vocabSize, minFrequency, onMerge: onProgress });
    const json = byteLevelJson({
      vocabulary: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
      words: this.words,
      specials: new Map(this.specials.map((token, id) => [token, id])),
      normalizer: this.words === 'qwen2' ? 'NFC' : undefined,
    });
    const [end] = this.specials;
    return HuggingFaceTokenizer.fromJson(json, { bos: end, eos: end, pad: end });
  }

  private withoutSpecials(text: string): string[] {
    const source = this.words === 'qwen2' ? text.normalize('NFC') : text;
    let parts = [source];
    for (const special of this.specials) parts = parts.flatMap((part) => part.split(special));
    return parts.filter((part) => part !== '');
  }

  private forgetRarest(): void {
    let bound = 1;
    while (this.counts.size > MOST_WORDS / 2) {
      for (const [word, { count }] of this.counts) if (count <= bound) this.counts.delete(word);
      bound *= 2;
    }
  }
}

/** Trains on texts in memory. @throws AnemoneError `tokenizer.bad-option`, `tokenizer.no-text` */
export function trainByteBpe(texts: Iterable<string>, options: ByteBpeTrainOptions): HuggingFaceTokenizer {
  const trainer = new ByteBpeTrainer(options);
  for (const text of texts) trainer.add(text);
  return trainer.train();
}

/**
 * Writes `tokenizer_byte_bpe_vSIZE` into a folder.
 * @returns the folder that was made, for `model.tokenizer: { library: huggingface, type: FOLDER }`
 * @throws AnemoneError `tokenizer.cannot-write`
 */
export function writeByteBpeFolder(
  tokenizer: HuggingFaceTokenizer,
  dataRoot: string,
  vocabSize: number,
): string {
  const dir = join(dataRoot, `tokenizer_byte_bpe_v${vocabSize}`);
  writeTokenizerFiles(tokenizer, dir);
  return dir;
}

function wrong(path: string, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.bad-option', path, message, hint });
}
