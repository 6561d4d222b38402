export {
  AnemoneError,
  type AnemoneErrorFields,
  AnemoneErrors,
  formatError,
  formatPosition,
  type SourcePosition,
} from './anemone-error.js';
export { didYouMean, editDistance, nearestNames } from './nearest.js';
export { printable } from './printable.js';
export { type ErrorReport, exitOnClosedPipe, reportOf } from './report.js';
