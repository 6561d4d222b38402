// Batching: which utterances go together, and what they are padded to.
export { type BatchSizeConfig, bucketBatchSizes } from './batch-size.js';
export { type BatchShape, describeEstimate, type EpochEstimate, estimateEpoch } from './estimate.js';
export { type BatchingConfig, BatchPlanner, type PlannedBatch, type PlannedSet } from './planner.js';
export { optimalRungs, roundUpToRung, rungsFromBounds, tokenRungs } from './rungs.js';
