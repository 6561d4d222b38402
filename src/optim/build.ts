// Builds an optimizer or schedule from settings that may come from a config or from code; `path` names the
// section in messages, for settings that carry no position of their own.
import type { ConfigNode } from '../config/index.js';
import type { Container, KindOf } from '../container/index.js';

type Settings = Readonly<Record<string, unknown>>;

/** The key that names the component: NeMo's `name`, or Hydra's `_target_`. */
export function nameKeyOf(section: Settings): 'name' | '_target_' {
  return section['_target_'] === undefined ? 'name' : '_target_';
}

/** @throws AnemoneError `container.unknown-component`, or with everything wrong in the settings */
export function build<T>(container: Container, section: Settings, kind: KindOf<T>, path: string): T {
  const { components: lookup, warnings } = container;
  const nameKey = nameKeyOf(section);
  const descriptor = lookup.findFor(
    section as ConfigNode,
    kind.kind,
    nameKey,
    undefined,
    `${path}.${nameKey}`,
  );
  const skip = ['name', '_target_', '_convert_', '_recursive_', 'args'];
  return container.build(descriptor, descriptor.schema.parse(section, { path, lookup, skip, warnings })) as T;
}
