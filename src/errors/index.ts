export {
  AnemoneError,
  type AnemoneErrorFields,
  AnemoneErrors,
  formatError,
  formatPosition,
  type SourcePosition,
} from './anemone-error.js';
export { didYouMean, editDistance, nearestNames } from './nearest.js';
