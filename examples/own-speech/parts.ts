// All parts of this example, for `--import ./examples/own-speech/parts.ts`.
export { featureScale } from './adapter.js';
export { clipping, speckles } from './augmentation.js';
export { toneSource } from './data-source.js';
export { surePath } from './decoding.js';
export { countingEngine } from './engine.js';
export { pitchBandsComponent } from './front-end.js';
export { doubtfulCtc, rootLengthRnnt } from './loss.js';
export { halving, signum } from './optimizer.js';
export { letters } from './tokenizer.js';
export { lastToken, productJoint } from './transducer.js';
