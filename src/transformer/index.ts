// The public face of the transformer folder.
export { type CrossEntropyConfig, transformerComponents } from './components.js';
export { TokenClassifier, type TokenClassifierConfig } from './token-classifier.js';
export { type EncoderStates, TransformerDecoder } from './transformer-decoder.js';
export { TransformerEncoder } from './transformer-encoder.js';
