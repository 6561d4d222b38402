// Manifests: lists of utterances as NeMo writes them.
export { type ArchivePlace, type ManifestEntry, utteranceName } from './entry.js';
export {
  type Dropped,
  describeDropped,
  type FilterConfig,
  type FilterReport,
  filterEntries,
  formatHours,
  requireSome,
} from './filter.js';
export { type ParseOptions, parseEntry, resolvePath } from './parse-entry.js';
export {
  type ManifestContents,
  type ManifestSpec,
  manifestFiles,
  type ReadOptions,
  readManifests,
  scanManifests,
} from './read-manifest.js';
