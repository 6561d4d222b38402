// Training a SentencePiece model: read the text, let the asked-for kind of trainer find the pieces, lay out
// the vocabulary and write a model that SentencePiece loads. Runs synchronously, so it fits in a worker.
import { AnemoneError } from '../../../errors/index.js';
import {
  defaultTrainerSpec,
  type SentencePiece,
  type SentencePieceModel,
  writeSentencePieceModel,
} from '../../../formats/index.js';
import { compiledCharsMap } from '../charsmap.js';
import { Normalizer } from '../normalizer.js';
import { learnMerges } from './bpe-trainer.js';
import { type Corpus, readCorpus } from './corpus.js';
import { countPieces } from './count-trainer.js';
import { layOutMetaPieces, mergePieces } from './meta-pieces.js';
import { type ResolvedTrainOptions, resolveTrainOptions, type SentencePieceTrainOptions } from './options.js';
import { learnUnigram } from './unigram-trainer.js';

/** A trained model, and what it was trained on. */
export interface TrainedSentencePiece {
  /** Bytes of the `.model` file. */
  readonly model: Uint8Array;
  readonly pieces: readonly SentencePiece[];
  /** Lines the pieces were learned from. */
  readonly lines: number;
  /** Lines left out because they were longer than `maxSentenceLength`. */
  readonly tooLongLines: number;
}

/**
 * Trains a tokenizer. The same lines and options give the same bytes.
 * Throws `tokenizer.bad-option`, `tokenizer.empty-text`, `tokenizer.vocab-too-small` (the characters alone
 * need more) and `tokenizer.vocab-too-large` (the text does not hold so many pieces; the hint says how many).
 * Source: Kudo & Richardson 2018 (SentencePiece); Kudo 2018 (unigram); Sennrich et al. 2016 (BPE).
 */
export function trainSentencePiece(options: SentencePieceTrainOptions): TrainedSentencePiece {
  const resolved = resolveTrainOptions(options);
  const meta = layOutMetaPieces(resolved);
  const normalizerSpec = {
    name: resolved.normalization,
    precompiledCharsmap: compiledCharsMap(resolved.normalization),
    addDummyPrefix: resolved.addDummyPrefix,
    removeExtraWhitespaces: resolved.removeExtraWhitespaces,
    escapeWhitespaces: true,
  };
  const normalizer = new Normalizer(normalizerSpec, resolved);
  const corpus = readCorpus(resolved, normalizer, meta);
  const forbiddenPieces = new Set([...meta.values()].map(({ piece }) => piece));
  const room = resolved.vocabSize - meta.size;
  const trained = findPieces(corpus, room, resolved, forbiddenPieces);
  const isOpenEnded = resolved.modelType === 'char' || !resolved.hardVocabLimit;
  if (trained.length < room && !isOpenEnded) {
    const mostPieces = trained.length + meta.size;
    throw new AnemoneError({
      code: 'tokenizer.vocab-too-large',
      path: 'vocabSize',
      message: `a vocabulary of ${resolved.vocabSize} is more than this text allows; the largest possible is ${mostPieces}`,
      hint: `set vocabSize to at most ${mostPieces}, add text, or give hardVocabLimit: false`,
      details: { largest: mostPieces },
    });
  }
  const pieces = mergePieces(meta, trained).map((piece) => ({ ...piece, score: Math.fround(piece.score) }));
  const model: SentencePieceModel = {
    pieces,
    trainerSpec: { ...defaultTrainerSpec(), ...specFields(resolved), vocabSize: pieces.length },
    normalizerSpec,
  };
  return {
    model: writeSentencePieceModel(model),
    pieces,
    lines: corpus.lines,
    tooLongLines: corpus.tooLong,
  };
}

function findPieces(
  corpus: Corpus,
  room: number,
  options: ResolvedTrainOptions,
  forbiddenPieces: ReadonlySet<string>,
): { piece: string; score: number }[] {
  const chars = corpus.requiredChars.map(([char]) => char).filter((char) => !forbiddenPieces.has(char));
  const { modelType } = options;
  if ((modelType === 'bpe' || modelType === 'unigram') && chars.length > room) {
    const leastPieces = chars.length + options.vocabSize - room;
    throw new AnemoneError({
      code: 'tokenizer.vocab-too-small',
      path: 'vocabSize',
      message: `a vocabulary of ${options.vocabSize} cannot hold the text's ${chars.length} characters and the special pieces; at least ${leastPieces} are needed`,
      hint: `set vocabSize to ${leastPieces} or more, or lower characterCoverage`,
      details: { smallest: leastPieces },
    });
  }
  if (modelType === 'bpe') {
    const merges = learnMerges(corpus, room - chars.length, options, forbiddenPieces);
    return [...merges, ...chars].map((piece, rank) => ({ piece, score: -rank }));
  }
  if (modelType === 'unigram') return learnUnigram(corpus, room, options, forbiddenPieces);
  return countPieces(corpus, room, modelType);
}

/** The options that the model file records. */
function specFields(options: ResolvedTrainOptions) {
  return {
    modelType: options.modelType,
    characterCoverage: options.characterCoverage,
    inputSentenceSize: options.inputSentenceSize,
    seedSentencePieceSize: options.seedSentencePieceSize,
    shrinkingFactor: options.shrinkingFactor,
    maxSentenceLength: options.maxSentenceLength,
    numSubIterations: options.numSubIterations,
    maxSentencePieceLength: options.maxSentencePieceLength,
    splitByUnicodeScript: options.splitByUnicodeScript,
    splitByNumber: options.splitByNumber,
    splitByWhitespace: options.splitByWhitespace,
    splitDigits: options.splitDigits,
    treatWhitespaceAsSuffix: options.treatWhitespaceAsSuffix,
    allowWhitespaceOnlyPieces: options.allowWhitespaceOnlyPieces,
    controlSymbols: [...options.controlSymbols],
    userDefinedSymbols: [...options.userDefinedSymbols],
    requiredChars: options.requiredChars,
    byteFallback: options.byteFallback,
    hardVocabLimit: options.hardVocabLimit,
    unkId: options.unkId,
    bosId: options.bosId,
    eosId: options.eosId,
    padId: options.padId,
    unkPiece: options.unkPiece,
    bosPiece: options.bosPiece,
    eosPiece: options.eosPiece,
    padPiece: options.padPiece,
    unkSurface: options.unkSurface,
  };
}
