// Files of others, read and written without executing anything in them.
export { writeFileAtomically } from './atomic-file.js';
export { apeLength, id3Length } from './audio-tags.js';
export { type ByteSource, fileSource, memorySource } from './byte-source.js';
export { crc32c, maskedCrc32c } from './crc32c.js';
export { credibleFrames, type DecodedFlac, decodeFlac, type FlacInfo, readFlacInfo } from './flac.js';
export { openFlac, readFlac } from './flac-reader.js';
export {
  fromBfloat16,
  fromBfloat16Bits,
  fromFloat16,
  fromFloat16Bits,
  toBfloat16,
  toBfloat16Bits,
  toFloat16,
  toFloat16Bits,
} from './float16.js';
export { type GgufFile, type GgufTensor, type GgufValue, readGguf } from './gguf/read.js';
export { IndexedDataset, IndexedDatasetWriter } from './indexed-dataset.js';
export { joined } from './joined.js';
export { type JsonTextOptions, parseJsonText } from './json-text.js';
export { badSample } from './levels.js';
export { COPY_LINKED, isLinked } from './links.js';
export { makeFolder } from './make-folder.js';
export { type DecodedMp3, decodeMp3, mp3Blocks, readMp3Info } from './mp3.js';
export { isFreeFormat, looksLikeMp3, type Mp3Info, mp3Start } from './mp3-frames.js';
export { decodeNpy, encodeNpy, type NpyArray } from './npy.js';
export { decodePcm, encodePcm, type PcmEncoding } from './pcm.js';
export { encodePng, type PngImage } from './png.js';
export { ProtoReader, ProtoWriter, WireType } from './protobuf.js';
export { readAhead } from './read-ahead.js';
export { type RegularFileOptions, readRegularFile, readRegularFileSync } from './regular-file.js';
export {
  encodeSafetensors,
  readSafetensor,
  readSafetensors,
  readSafetensorsHeader,
  type SafeTensor,
  type SafetensorsDtype,
  type SafetensorsEntry,
  type SafetensorsHeader,
  safetensorsParts,
  type TensorData,
  tensorToFloat32,
} from './safetensors.js';
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
export { readTar, type TarFile, type TarInput, type TarMember, tarParts } from './tar.js';
export {
  type EventOutline,
  EventWriter,
  type EventWriterOptions,
  filterEvents,
  readScalarEvents,
  type ScalarEvent,
  tfRecord,
} from './tensorboard.js';
export {
  readTorchData,
  type TorchData,
  type TorchEntry,
  type TorchParts,
  TorchTensor,
  type TorchValue,
  torchParts,
  torchValueParts,
} from './torch/index.js';
export { decodeUtf8, isUtf16 } from './utf8.js';
export { encodeWav, readWavFrames, readWavInfo, type WavInfo, type WavWriteOptions } from './wav.js';
export {
  NEMO_WEIGHTS,
  openWeights,
  readWeights,
  torchWeights,
  type WeightFile,
  type WeightInfo,
} from './weights.js';
export { windowOf } from './window.js';
