// Files of others, read and written without executing anything in them.
export { type ByteSource, fileSource, memorySource } from './byte-source.js';
export { type DecodedFlac, decodeFlac, type FlacInfo, readFlacInfo } from './flac.js';
export { type DecodedMp3, decodeMp3, id3Length, looksLikeMp3, type Mp3Info, readMp3Info } from './mp3.js';
export { decodePcm, encodePcm, type PcmEncoding } from './pcm.js';
export { ProtoReader, ProtoWriter, WireType } from './protobuf.js';
export {
  defaultNormalizerSpec,
  defaultTrainerSpec,
  PieceType,
  readSentencePieceModel,
  type SentencePiece,
  type SentencePieceModel,
  type SentencePieceModelType,
  type SentencePieceNormalizerSpec,
  type SentencePieceTrainerSpec,
  writeSentencePieceModel,
} from './sentencepiece-model.js';
export { encodeWav, readWavFrames, readWavInfo, type WavInfo, type WavWriteOptions } from './wav.js';
