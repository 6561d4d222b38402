// Text: tokenizers and their training, normalisation, and the metrics that compare texts.
export type { ReadFile } from '../container/index.js';
export { AggregateTokenizer } from './aggregate-tokenizer.js';
export {
  ByteBpeTrainer,
  type ByteBpeTrainOptions,
  trainByteBpe,
  writeByteBpeFolder,
} from './bpe/train/byte-bpe-trainer.js';
export { byteLengths } from './byte-lengths.js';
export { ByteTokenizer } from './byte-tokenizer.js';
export { CanaryBPETokenizer } from './canary/canary-bpe-tokenizer.js';
export { CanaryTokenizer } from './canary/canary-tokenizer.js';
export {
  PROMPT_FORMATS,
  PromptFormat,
  type PromptFormatName,
  type PromptSlots,
  promptFormat,
  TRANSCRIBE_DEFAULTS,
} from './canary/prompt-format.js';
export { isPromptTokenizer, type PromptTokenizer } from './canary/special-tokens.js';
export { trainSpecialTokenizer } from './canary/train-special.js';
export { CharTokenizer, type CharTokenizerOptions } from './char-tokenizer.js';
export {
  type ChatMessage,
  ChatTemplate,
  type ChatTemplateContext,
  type ChatTemplateOptions,
} from './chat/chat-template.js';
export { tokenizerComponents, tokenizerFields } from './components.js';
export { byteLevelWords, type WordPatternName, wordPatternNames } from './huggingface/families.js';
export { openHuggingFaceTokenizer } from './huggingface/folder.js';
export { ggufTokenizer } from './huggingface/gguf-tokenizer.js';
export { gpt2Tokenizer, type NamedBytes } from './huggingface/gpt2-files.js';
export { HuggingFaceTokenizer, type TokenizerSetting } from './huggingface/huggingface-tokenizer.js';
export { nemoTiktokenTokenizer, tiktokenEncodings, tiktokenTokenizer } from './huggingface/tiktoken-files.js';
export { IdBuffer } from './id-buffer.js';
export { type LanguageTokenizerSection, languageTokenizer } from './language-tokenizer.js';
export {
  loadTokenizer,
  type TokenizerConfig,
  tokenizerTypeOf,
  tokenizerTypeProblem,
} from './load-tokenizer.js';
export * from './metrics/index.js';
export { type CleanTextOptions, cleanText, normalizeText } from './normalize.js';
export { normalizationNames } from './sentencepiece/charsmap.js';
export { SentencePieceProcessor } from './sentencepiece/processor.js';
export { SentencePieceTokenizer } from './sentencepiece/sentencepiece-tokenizer.js';
export type { SentencePieceTrainOptions, TrainProgress } from './sentencepiece/train/options.js';
export {
  type TokenizerFolderOptions,
  tokenizerFolder,
  trainTokenizerFolder,
} from './sentencepiece/train/tokenizer-folder.js';
export { type TrainedSentencePiece, trainSentencePiece } from './sentencepiece/train/train.js';
export { TextStream } from './text-stream.js';
export type { Tokenizer } from './tokenizer.js';
export { tokenizerKind } from './tokenizer-kind.js';
export { WordTokenizer } from './word-tokenizer.js';
export {
  type TrainedWordPiece,
  trainWordPiece,
  trainWordPieceFolder,
  type WordPieceFolderOptions,
  type WordPieceTrainOptions,
} from './wordpiece/train/train.js';
export { type WordPieceOptions, WordPieceTokenizer } from './wordpiece/wordpiece-tokenizer.js';
