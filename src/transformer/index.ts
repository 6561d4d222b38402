// The public face of the transformer folder.
export { transformerComponents } from './components.js';
export * from './decoder/index.js';
export { TokenClassifier, type TokenClassifierConfig, type TokenHead } from './token-classifier.js';
export { type EncoderStates, TransformerDecoder } from './transformer-decoder.js';
export { TransformerEncoder } from './transformer-encoder.js';
