// The public face of the config folder.
export { throwAll } from './collect.js';
export {
  type ConfigList,
  type ConfigNode,
  type ConfigScalar,
  type ConfigValue,
  EMPTY_SECTION,
  isImmutable,
  isMapping,
  isMissing,
  keyPositionOf,
  type Loaded,
  missingValue,
  overlayNode,
  pathOf,
  positionOf,
  selectValue,
  withKeys,
  writtenAsFloat,
} from './config-node.js';
export { resolveConfig, type ToYamlOptions, toYaml } from './emit.js';
export { type JsonFileOptions, type JsonOptions, parseJson, readJson } from './json.js';
export {
  type Config,
  configFromObject,
  configFromText,
  configFromValues,
  type LoadOptions,
  loadConfig,
  mergeConfigs,
  withOverrides,
} from './load.js';
export { requireMapping } from './require-mapping.js';
export type { Resolver, ResolverContext } from './resolvers.js';
export { type RunOptions, runWithConfig, type TextOutput } from './run-with-config.js';
export { CheckContext, type ComponentLookup } from './schema/context.js';
export {
  type ComponentFormatOptions,
  type ComponentSection,
  componentConfig,
  customFormat,
  type Format,
  type FormatSpec,
  hasTarget,
  type InputOf,
  type Interval,
  interval,
  type JsonSchema,
  listOf,
  oneOf,
  pairOf,
  recordOf,
  sectionOrComponent,
  type ValueOf,
} from './schema/format.js';
export { plainName } from './schema/plain-name.js';
export { formatWarnings, schemaToHelp, schemaToJsonSchema, schemaToMarkdown } from './schema/render.js';
export { CheckMemory, type CheckResult, type ConfigWarning } from './schema/result.js';
export {
  type CheckOptions,
  type ConfigOf,
  defineSchema,
  type FieldDefinition,
  type FieldDefinitions,
  type GivenConfigOf,
  type IgnoredKey,
  type IgnoredKeys,
  type InferConfig,
  type ParseOptions,
  type Schema,
  type SchemaOptions,
  type SectionInput,
  type SectionOf,
} from './schema/schema.js';
export { type Place, placeOf, withPosition } from './with-position.js';
