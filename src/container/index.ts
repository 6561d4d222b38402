// The public face of the container folder.
export { inject } from './class-tokens.js';
export {
  type BuildContext,
  type ComponentDefinition,
  type ComponentDescriptor,
  component,
  defineKind,
  type Injected,
  type InjectedTokens,
  type InstantiateOptions,
  isComponent,
  type KindOf,
  type Token,
  token,
} from './component.js';
export { Container } from './container.js';
export { type ConfigSection, configJsonSchema, configReference } from './reference.js';
export { ComponentRegistry } from './registry.js';
export {
  CONFIG_WARNINGS,
  type ConfigWarnings,
  LOG,
  type Log,
  READ_FILE,
  type ReadFile,
  SEED,
  warningsInLog,
} from './services.js';
