export {
  AnemoneError,
  type AnemoneErrorFields,
  AnemoneErrors,
  formatError,
  formatPosition,
  type SourcePosition,
  saidBy,
} from './anemone-error.js';
export { asText } from './as-text.js';
export { exitOnClosedPipe, outliveReaders } from './closed-pipe.js';
export { didYouMean, editDistance, nearestNames } from './nearest.js';
export { isOutOfMemory } from './out-of-memory.js';
export { packageVersion } from './package-version.js';
export { printable, printableJson, printableLines, readableLines } from './printable.js';
export { type ErrorReport, reportOf } from './report.js';
