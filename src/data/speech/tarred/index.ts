// Data sets whose recordings lie in tar archives.
export { expandShards, type PathSpec } from './expand-shards.js';
export { findMembers, type Located } from './find-members.js';
