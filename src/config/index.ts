// The public face of the config folder.
export {
  type ConfigList,
  type ConfigNode,
  type ConfigScalar,
  type ConfigValue,
  isMapping,
  isMissing,
  missingValue,
  pathOf,
  positionOf,
  selectValue,
  writtenAsFloat,
} from './config-node.js';
export { resolveConfig, type ToYamlOptions, toYaml } from './emit.js';
export {
  type Config,
  configFromObject,
  configFromText,
  type LoadOptions,
  loadConfig,
  mergeConfigs,
  withOverrides,
} from './load.js';
export type { Resolver, ResolverContext } from './resolvers.js';
