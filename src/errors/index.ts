export {
  AnemoneError,
  type AnemoneErrorFields,
  AnemoneErrors,
  formatError,
  formatPosition,
  type SourcePosition,
  saidBy,
} from './anemone-error.js';
export { didYouMean, editDistance, nearestNames } from './nearest.js';
export { printable, printableJson, printableLines } from './printable.js';
export { type ErrorReport, exitOnClosedPipe, reportOf } from './report.js';
