// Comparing hypotheses with references.
export {
  align,
  countEdits,
  type Edit,
  type EditCounts,
  type EditKind,
  levenshtein,
} from './alignment.js';
export { Bleu, type BleuOptions, type BleuScore, type BleuSums, corpusBleu } from './bleu.js';
export {
  characterErrorRate,
  ErrorRate,
  type ErrorRateSums,
  type ErrorUnit,
  unitsOf,
  wordErrorRate,
} from './error-rate.js';
export { type FormatAlignmentOptions, formatAlignment } from './format-alignment.js';
export { tokenize13a } from './tokenize-13a.js';
