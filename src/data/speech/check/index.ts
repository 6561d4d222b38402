// Checking manifests and what they name.
export {
  type CheckOptions,
  type CheckReport,
  type CheckTokenizer,
  checkManifests,
} from './check-manifest.js';
export { FINDING_KINDS, type Finding, type FindingKind, isFatal } from './finding.js';
export { type Histogram, histogram, renderHistogram } from './histogram.js';
export { renderReport, reportToJson } from './render.js';
export { type FitConfig, type LossKind, TextFit } from './text-fit.js';
