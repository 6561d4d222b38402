// SentencePiece `.model` files: the protobuf message read into plain data and written back. The field
// numbers are those of sentencepiece_model.proto. What the data means (segmenting, normalising, training)
// lives in src/text/sentencepiece; this file only knows the layout.
import { AnemoneError } from '../errors/index.js';
import { ProtoReader, ProtoWriter } from './protobuf.js';

/** `ModelProto.SentencePiece.Type`. */
export const PieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
export type PieceType = (typeof PieceType)[keyof typeof PieceType];

/** One vocabulary entry; its id is its place in the list. */
export interface SentencePiece {
  readonly piece: string;
  /** Log probability (unigram, word, char) or minus the merge rank (BPE); kept as float32. */
  readonly score: number;
  readonly type: PieceType;
}

/** SentencePiece's ways of segmenting, `model_type` of its trainer. */
export type SentencePieceModelType = 'unigram' | 'bpe' | 'word' | 'char';

/** `TrainerSpec`: how the model was trained; a few fields also steer encoding and decoding. */
export interface SentencePieceTrainerSpec {
  modelType: SentencePieceModelType;
  vocabSize: number;
  characterCoverage: number;
  inputSentenceSize: number;
  seedSentencePieceSize: number;
  shrinkingFactor: number;
  maxSentenceLength: number;
  numSubIterations: number;
  maxSentencePieceLength: number;
  splitByUnicodeScript: boolean;
  splitByNumber: boolean;
  splitByWhitespace: boolean;
  splitDigits: boolean;
  treatWhitespaceAsSuffix: boolean;
  allowWhitespaceOnlyPieces: boolean;
  controlSymbols: string[];
  userDefinedSymbols: string[];
  requiredChars: string;
  byteFallback: boolean;
  hardVocabLimit: boolean;
  unkId: number;
  bosId: number;
  eosId: number;
  padId: number;
  unkPiece: string;
  bosPiece: string;
  eosPiece: string;
  padPiece: string;
  /** What an unknown token decodes to; " ⁇ " by default. */
  unkSurface: string;
}

/** `NormalizerSpec`. */
export interface SentencePieceNormalizerSpec {
  name: string;
  /** Compiled character map (double array + strings); empty means identity. */
  precompiledCharsmap: Uint8Array;
  addDummyPrefix: boolean;
  removeExtraWhitespaces: boolean;
  escapeWhitespaces: boolean;
}

/** A `.model` file as plain data. */
export interface SentencePieceModel {
  readonly pieces: readonly SentencePiece[];
  readonly trainerSpec: Readonly<SentencePieceTrainerSpec>;
  readonly normalizerSpec: Readonly<SentencePieceNormalizerSpec>;
  /** Applied to decoded text when present. */
  readonly denormalizerSpec?: Readonly<SentencePieceNormalizerSpec> | undefined;
}

const modelTypes: readonly SentencePieceModelType[] = ['unigram', 'bpe', 'word', 'char'];

/** The values a field has when a file leaves it out (proto2 defaults). */
export function defaultTrainerSpec(): SentencePieceTrainerSpec {
  return {
    modelType: 'unigram',
    vocabSize: 8000,
    characterCoverage: 0.9995,
    inputSentenceSize: 0,
    seedSentencePieceSize: 1_000_000,
    shrinkingFactor: 0.75,
    maxSentenceLength: 4192,
    numSubIterations: 2,
    maxSentencePieceLength: 16,
    splitByUnicodeScript: true,
    splitByNumber: true,
    splitByWhitespace: true,
    splitDigits: false,
    treatWhitespaceAsSuffix: false,
    allowWhitespaceOnlyPieces: false,
    controlSymbols: [],
    userDefinedSymbols: [],
    requiredChars: '',
    byteFallback: false,
    hardVocabLimit: true,
    unkId: 0,
    bosId: 1,
    eosId: 2,
    padId: -1,
    unkPiece: '<unk>',
    bosPiece: '<s>',
    eosPiece: '</s>',
    padPiece: '<pad>',
    unkSurface: ' \u2047 ',
  };
}

/**
 * The specification of a normalizer that maps no characters (SentencePiece's `identity`), with spm_train's
 * white-space rules.
 */
export function defaultNormalizerSpec(): SentencePieceNormalizerSpec {
  return {
    name: '',
    precompiledCharsmap: new Uint8Array(0),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
  };
}

/**
 * Reads a `.model` file's bytes. Fields this file does not know are passed over.
 * Throws `sentencepiece.corrupt` (with `file` in the position when given).
 */
export function readSentencePieceModel(bytes: Uint8Array, file?: string): SentencePieceModel {
  const position = file === undefined ? undefined : { file };
  const pieces: SentencePiece[] = [];
  const trainerSpec = defaultTrainerSpec();
  const normalizerSpec = defaultNormalizerSpec();
  let denormalizerSpec: SentencePieceNormalizerSpec | undefined;
  try {
    const reader = new ProtoReader(bytes);
    while (reader.next()) {
      if (reader.field === 1) pieces.push(readPiece(reader.message()));
      else if (reader.field === 2) readTrainerSpec(reader.message(), trainerSpec);
      else if (reader.field === 3) readNormalizerSpec(reader.message(), normalizerSpec);
      else if (reader.field === 5) {
        denormalizerSpec ??= defaultNormalizerSpec();
        readNormalizerSpec(reader.message(), denormalizerSpec);
      }
    }
  } catch (cause) {
    throw new AnemoneError({
      code: 'sentencepiece.corrupt',
      message: 'not a SentencePiece model: its protobuf cannot be read',
      hint: 'give the .model file that spm_train or `anemone tokenizer train` wrote',
      position,
      cause,
    });
  }
  if (pieces.length === 0) {
    throw new AnemoneError({
      code: 'sentencepiece.corrupt',
      message: 'not a SentencePiece model: it holds no pieces',
      hint: 'give the .model file that spm_train or `anemone tokenizer train` wrote',
      position,
    });
  }
  return { pieces, trainerSpec, normalizerSpec, denormalizerSpec };
}

function readPiece(reader: ProtoReader): SentencePiece {
  let piece = '';
  let score = 0;
  let type: number = PieceType.normal;
  while (reader.next()) {
    if (reader.field === 1) piece = reader.string();
    else if (reader.field === 2) score = reader.float();
    else if (reader.field === 3) type = reader.int32();
  }
  if (type < 1 || type > 6) {
    throw new AnemoneError({ code: 'sentencepiece.corrupt', message: `piece "${piece}" has type ${type}` });
  }
  return { piece, score, type: type as PieceType };
}

type FieldKind = 'int' | 'bool' | 'float' | 'string' | 'strings' | 'modelType';

/** Field number → (property, kind) of `TrainerSpec`; the one list that reading and writing share. */
const trainerFields: readonly (readonly [number, keyof SentencePieceTrainerSpec, FieldKind])[] = [
  [3, 'modelType', 'modelType'],
  [4, 'vocabSize', 'int'],
  [10, 'characterCoverage', 'float'],
  [11, 'inputSentenceSize', 'int'],
  [14, 'seedSentencePieceSize', 'int'],
  [15, 'shrinkingFactor', 'float'],
  [18, 'maxSentenceLength', 'int'],
  [17, 'numSubIterations', 'int'],
  [20, 'maxSentencePieceLength', 'int'],
  [21, 'splitByUnicodeScript', 'bool'],
  [23, 'splitByNumber', 'bool'],
  [22, 'splitByWhitespace', 'bool'],
  [25, 'splitDigits', 'bool'],
  [24, 'treatWhitespaceAsSuffix', 'bool'],
  [26, 'allowWhitespaceOnlyPieces', 'bool'],
  [30, 'controlSymbols', 'strings'],
  [31, 'userDefinedSymbols', 'strings'],
  [36, 'requiredChars', 'string'],
  [35, 'byteFallback', 'bool'],
  [33, 'hardVocabLimit', 'bool'],
  [40, 'unkId', 'int'],
  [41, 'bosId', 'int'],
  [42, 'eosId', 'int'],
  [43, 'padId', 'int'],
  [45, 'unkPiece', 'string'],
  [46, 'bosPiece', 'string'],
  [47, 'eosPiece', 'string'],
  [48, 'padPiece', 'string'],
  [44, 'unkSurface', 'string'],
];

function readTrainerSpec(reader: ProtoReader, into: SentencePieceTrainerSpec): void {
  const target = into as unknown as Record<string, unknown>;
  const byNumber = new Map(trainerFields.map((field) => [field[0], field]));
  while (reader.next()) {
    const field = byNumber.get(reader.field);
    if (field === undefined) continue;
    const [, name, kind] = field;
    if (kind === 'int') target[name] = reader.int64();
    else if (kind === 'bool') target[name] = reader.bool();
    else if (kind === 'float') target[name] = reader.float();
    else if (kind === 'string') target[name] = reader.string();
    else if (kind === 'strings') (target[name] as string[]).push(reader.string());
    else target[name] = modelTypes[reader.int32() - 1] ?? 'unigram';
  }
}

function readNormalizerSpec(reader: ProtoReader, into: SentencePieceNormalizerSpec): void {
  while (reader.next()) {
    if (reader.field === 1) into.name = reader.string();
    else if (reader.field === 2) into.precompiledCharsmap = new Uint8Array(reader.bytes());
    else if (reader.field === 3) into.addDummyPrefix = reader.bool();
    else if (reader.field === 4) into.removeExtraWhitespaces = reader.bool();
    else if (reader.field === 5) into.escapeWhitespaces = reader.bool();
  }
}

/** The bytes of a `.model` file that SentencePiece itself loads. */
export function writeSentencePieceModel(model: SentencePieceModel): Uint8Array {
  const writer = new ProtoWriter(1 << 16);
  for (const { piece, score, type } of model.pieces) {
    writer.message(1, (w) => {
      w.string(1, piece).float(2, score);
      if (type !== PieceType.normal) w.int32(3, type);
    });
  }
  writer.message(2, (w) => writeTrainerSpec(w, model.trainerSpec));
  writer.message(3, (w) => writeNormalizerSpec(w, model.normalizerSpec));
  const denormalizer = model.denormalizerSpec;
  if (denormalizer) writer.message(5, (w) => writeNormalizerSpec(w, denormalizer));
  return writer.finish();
}

function writeTrainerSpec(writer: ProtoWriter, spec: Readonly<SentencePieceTrainerSpec>): void {
  for (const [number, name, kind] of trainerFields) {
    const value = spec[name];
    if (kind === 'int') writer.int64(number, value as number);
    else if (kind === 'bool') writer.bool(number, value as boolean);
    else if (kind === 'float') writer.float(number, value as number);
    else if (kind === 'strings') for (const item of value as string[]) writer.string(number, item);
    else if (kind === 'modelType')
      writer.int32(number, modelTypes.indexOf(value as SentencePieceModelType) + 1);
    else if (value !== '') writer.string(number, value as string);
  }
}

function writeNormalizerSpec(writer: ProtoWriter, spec: Readonly<SentencePieceNormalizerSpec>): void {
  writer.string(1, spec.name).bytes(2, spec.precompiledCharsmap);
  writer.bool(3, spec.addDummyPrefix).bool(4, spec.removeExtraWhitespaces).bool(5, spec.escapeWhitespaces);
}
