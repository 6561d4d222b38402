// Manifests: lists of utterances as NeMo writes them.
export { type ArchivePlace, type ManifestEntry, utteranceName } from './entry.js';
export {
  type Dropped,
  type DroppedBy,
  describeDropped,
  type FilterConfig,
  type FilterReport,
  filterEntries,
  filterTokenRates,
  formatHours,
  requireSome,
  type TokenRateConfig,
} from './filter.js';
export { manifestFolder, type ParseOptions, parseEntry, resolvePath } from './parse-entry.js';
export {
  type ManifestContents,
  type ManifestSpec,
  manifestFiles,
  type ReadOptions,
  readManifests,
  scanManifests,
} from './read-manifest.js';
