// The public face of the generation folder.
export { AttentionBeam } from './beam.js';
export {
  type AttentionDecodingConfig,
  type AttentionDecodingSection,
  attentionDecodingSchema,
} from './config.js';
export { AttentionGreedy } from './greedy.js';
export type { Hypothesis } from './hypothesis.js';
export type { AttentionSearch, SearchTokens } from './search.js';
export type { AttentionNetwork } from './step-runner.js';
