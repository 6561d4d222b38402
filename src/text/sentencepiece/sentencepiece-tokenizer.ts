// The tokenizer of models with `type: bpe`.
import {
  readSentencePieceModel,
  type SentencePieceModel,
  writeSentencePieceModel,
} from '../../formats/index.js';
import type { Tokenizer } from '../tokenizer.js';
import { SPACE_SYMBOL } from './normalizer.js';
import { SentencePieceProcessor } from './processor.js';
import { vocabFiles } from './vocab-files.js';

/**
 * A SentencePiece model as a Tokenizer, the counterpart of NeMo's SentencePieceTokenizer (without its `legacy`
 * mode).
 */
export class SentencePieceTokenizer implements Tokenizer {
  readonly processor: SentencePieceProcessor;
  readonly bosId: number;
  readonly eosId: number;
  readonly padId: number;

  constructor(
    readonly model: SentencePieceModel,
    private readonly bytes: Uint8Array = writeSentencePieceModel(model),
  ) {
    this.processor = new SentencePieceProcessor(model);
    const { bosPiece, eosPiece, padPiece } = model.trainerSpec;
    const special = (piece: string): number => this.processor.table.reserved.get(piece) ?? -1;
    this.bosId = special(bosPiece);
    this.eosId = special(eosPiece);
    this.padId = special(padPiece);
  }

  /**
   * The tokenizer of a `.model` file.
   * @param file its name, for messages
   * @throws AnemoneError `sentencepiece.corrupt`, `sentencepiece.invalid-model`
   */
  static fromBytes(bytes: Uint8Array, file?: string): SentencePieceTokenizer {
    return new SentencePieceTokenizer(readSentencePieceModel(bytes, file), bytes);
  }

  get vocabSize(): number {
    return this.processor.vocabSize;
  }

  get vocabulary(): readonly string[] {
    return this.processor.table.pieces;
  }

  get unkId(): number {
    return this.processor.table.unkId;
  }

  /** Ids as `spm_encode --output_format=id` gives them. */
  textToIds(text: string): number[] {
    return this.processor.encode(text);
  }

  idsToText(ids: Iterable<number>): string {
    return this.processor.decode(ids);
  }

  textToTokens(text: string): string[] {
    return this.processor.encodeAsPieces(text);
  }

  tokensToText(tokens: readonly string[]): string {
    return this.processor.decodePieces(tokens);
  }

  tokensToIds(tokens: readonly string[]): number[] {
    return tokens.map((token) => this.processor.table.id(token));
  }

  idsToTokens(ids: Iterable<number>): string[] {
    return this.processor.idsToPieces(ids);
  }

  /** Characters after normalisation; none are unknown to a model that falls back to bytes. */
  unknownCharacters(text: string): string[] {
    const { table } = this.processor;
    if (table.byteIds) return [];
    const unknownCharacters = new Set<string>();
    for (const piece of this.processor.encodeAsPieces(text)) {
      if (table.segments.has(piece)) continue;
      for (const character of piece) {
        if (character !== SPACE_SYMBOL && !table.segments.has(character)) unknownCharacters.add(character);
      }
    }
    return [...unknownCharacters];
  }

  files(): ReadonlyMap<string, Uint8Array> {
    return new Map([['tokenizer.model', this.bytes], ...vocabFiles(this.model)]);
  }
}
