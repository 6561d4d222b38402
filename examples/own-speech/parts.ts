// All parts of this example, for `--import ./parts.ts`.
export { toneSource } from './data-source.js';
