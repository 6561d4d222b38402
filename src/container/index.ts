// The public face of the container folder.
export {
  type BuildContext,
  type ComponentDefinition,
  type ComponentDescriptor,
  component,
  defineKind,
  type InstantiateOptions,
  isComponent,
  type KindOf,
  type Token,
  token,
} from './component.js';
export { Container, inject } from './container.js';
export { type ConfigSection, configJsonSchema, configReference } from './reference.js';
export { ComponentRegistry } from './registry.js';
