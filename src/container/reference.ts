// The reference of all config keys, made from the schemas: a Markdown page for people, a JSON Schema for editors.
import { type JsonSchema, type Schema, schemaToMarkdown } from '../config/index.js';
import type { ComponentDescriptor } from './component.js';

/** A top-level section of a config with a schema of its own, such as `trainer`. */
export interface ConfigSection {
  readonly name: string;
  readonly schema: Schema<unknown>;
}

/** The whole reference as one Markdown page. */
export function configReference(
  sections: readonly ConfigSection[],
  components: readonly ComponentDescriptor[],
): string {
  const parts = [
    '# Config reference\n',
    'Generated from the schemas by `npx tsx scripts/config-reference.ts`; do not edit.\n',
    ...(sections.length > 0 ? ['## Sections\n'] : []),
    ...sections.map(({ name, schema }) => schemaToMarkdown(schema, { level: 3, title: `\`${name}\`` })),
  ];
  for (const kind of new Set(components.map((descriptor) => descriptor.kind))) {
    const ofKind = components.filter((descriptor) => descriptor.kind === kind);
    parts.push(`## Components: ${kind}\n`);
    const printed = new Map<string, string>();
    for (const descriptor of ofKind) parts.push(componentMarkdown(descriptor, printed));
  }
  return parts.join('\n');
}

/** A JSON Schema of whole configs. Mappings of components are resolved by the name they give. */
export function configJsonSchema(
  sections: readonly ConfigSection[],
  components: readonly ComponentDescriptor[],
  id?: string,
): JsonSchema {
  const definitions: Record<string, JsonSchema> = {};
  const resolve = (value: unknown): unknown => resolveComponents(value, components, definitions);
  const properties = Object.fromEntries(
    sections.map(({ name, schema }) => [name, resolve(schema.jsonSchema())]),
  );
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...(id && { $id: id }),
    type: 'object',
    properties,
    $defs: definitions,
  };
}

/** @param printed names of components by the tables of their keys, which are printed once */
function componentMarkdown(
  { name, schema, aliases }: ComponentDescriptor,
  printed: Map<string, string>,
): string {
  const tables = schemaToMarkdown(schema, { level: 3, title: '' })
    .split('\n')
    .filter((line) => /^[|#-]/.test(line));
  const key = tables.join('\n');
  const twin = tables.length > 1 ? printed.get(key) : undefined;
  printed.set(key, twin ?? name);
  const [heading, ...rest] = schemaToMarkdown(schema, { level: 3, title: name }).split('\n');
  const firstTable = rest.findIndex((line) => line.startsWith('|'));
  const body = twin ? [...rest.slice(0, firstTable), `The keys are those of \`${twin}\`.`, ''] : rest;
  if (aliases.length === 0) return [heading, ...body].join('\n');
  return [heading, '', `Also named ${aliases.map((alias) => `\`${alias}\``).join(', ')}.`, ...body].join(
    '\n',
  );
}

/** Replaces each place that takes a component of a kind by a reference to the choice among all of that kind. */
function resolveComponents(
  value: unknown,
  components: readonly ComponentDescriptor[],
  definitions: Record<string, JsonSchema>,
): unknown {
  if (Array.isArray(value)) return value.map((item) => resolveComponents(item, components, definitions));
  if (typeof value !== 'object' || value === null) return value;
  const kind: unknown = Reflect.get(value, 'x-component-kind');
  const nameKey: unknown = Reflect.get(value, 'x-component-name-key');
  if (typeof kind !== 'string' || typeof nameKey !== 'string') {
    const entries = Object.entries(value).map(([key, child]) => [
      key,
      resolveComponents(child, components, definitions),
    ]);
    return Object.fromEntries(entries);
  }
  const id = `${kind}-by-${nameKey}`;
  if (definitions[id] === undefined) {
    definitions[id] = {};
    const ofKind = components.filter((descriptor) => descriptor.kind === kind);
    const choices = ofKind.map((descriptor) =>
      resolveComponents(named(descriptor, nameKey), components, definitions),
    );
    // Components of the user's own are unknown here, so anything with another name passes.
    const names = ofKind.flatMap((descriptor) => [descriptor.name, ...descriptor.aliases]);
    const otherBrick = {
      type: 'object',
      required: [nameKey],
      properties: { [nameKey]: { type: 'string', not: { enum: names } } },
    };
    definitions[id] = { anyOf: [...choices, otherBrick] };
  }
  return { $ref: `#/$defs/${id}` };
}

function named(descriptor: ComponentDescriptor, nameKey: string): JsonSchema {
  const schema = descriptor.schema.jsonSchema();
  const properties = {
    [nameKey]: { enum: [descriptor.name, ...descriptor.aliases] },
    ...(schema.properties as object),
  };
  return { ...schema, properties, required: [nameKey, ...((schema.required as string[] | undefined) ?? [])] };
}
