// The public face of the adapters folder.
export { Adapter, FeatureAdapter, type ResidualAdd } from './adapter.js';
export { type LoadAdaptersOptions, loadAdapters, saveAdapters } from './adapter-file.js';
export { AdapterSlot } from './adapter-slot.js';
export type { AttentionPositions } from './attention-adapter.js';
export { adapterComponents, adapterKind, lowRankFields } from './components.js';
export type { AdapterPlace, LinearPlace } from './linear-place.js';
export { LowRankAdapter, type LowRankConfig, LowRankPair } from './low-rank-adapter.js';
export { addLowRank, type LowRankProduct, rowsOf } from './merge.js';
export { ModelAdapters, type UnfreezeOptions } from './model-adapters.js';
export { adaptersFormat } from './section.js';
