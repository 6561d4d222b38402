export {
  AnemoneError,
  type AnemoneErrorFields,
  AnemoneErrors,
  formatError,
  formatPosition,
  type SourcePosition,
} from './anemone-error.js';
export { exitOnClosedPipe, outliveReaders } from './closed-pipe.js';
export { didYouMean, editDistance, nearestNames } from './nearest.js';
export { printable } from './printable.js';
export { type ErrorReport, reportOf } from './report.js';
