// Schemas as documents for people and editors: Markdown for the reference, plain text for --help, JSON Schema.

import { formatPosition } from '../../errors/index.js';
import { formatOf, type JsonSchema } from './format.js';
import type { ConfigWarning } from './result.js';
import { describeDefault, describeField, type Schema } from './schema.js';

/** A Markdown section: a heading, the doc, a table of keys, sections of nested schemas. `level` is the heading's. */
export function schemaToMarkdown(
  schema: Schema<unknown>,
  options: { readonly level?: number; readonly title?: string } = {},
): string {
  const { level = 2, title = schema.name } = options;
  const lines = [`${'#'.repeat(Math.min(level, 6))} ${title}`, ''];
  if (schema.doc) lines.push(schema.doc, '');
  const fields = Object.entries(schema.fields);
  if (fields.length > 0) {
    lines.push('| key | value | default | meaning |', '|---|---|---|---|');
    for (const [key, field] of fields) {
      const cells = [`\`${key}\``, describeField(field), `\`${describeDefault(field)}\``, field.doc];
      lines.push(`| ${cells.map(cell).join(' | ')} |`);
    }
    lines.push('');
  }
  if (schema.extra) lines.push(`Further keys: ${schema.extra.expected}.`, '');
  if (schema.ignored.size > 0) {
    lines.push('Accepted without effect (a warning says so):', '');
    for (const [key, { instead }] of schema.ignored) lines.push(`- \`${key}\`: ${instead}`);
    lines.push('');
  }
  for (const [key, nested] of nestedSchemas(schema)) {
    lines.push(schemaToMarkdown(nested, { level: level + 1, title: `${title}: \`${key}\`` }));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** The same as plain text for a terminal. */
export function schemaToHelp(schema: Schema<unknown>, options: { readonly width?: number } = {}): string {
  const { width = 100 } = options;
  const lines: string[] = [schema.name];
  if (schema.doc) lines.push(...wrap(schema.doc, width, '  '));
  writeHelp(schema, '', width, lines);
  return `${lines.join('\n')}\n`;
}

/** A JSON Schema (2020-12) for editors: completion and checks while typing. */
export function schemaToJsonSchema(schema: Schema<unknown>, id?: string): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...(id && { $id: id }),
    ...schema.jsonSchema(),
  };
}

/** The one list of everything a config asked for in vain; '' if there is nothing. */
export function formatWarnings(warnings: readonly ConfigWarning[]): string {
  if (warnings.length === 0) return '';
  const lines = warnings.map(({ path, position, message }) => {
    const place = position ? `${formatPosition(position)}: ` : '';
    return `  ${place}${path}: ${message}`;
  });
  // A section may be checked more than once: with the model, and when it is built.
  return `These keys of the config have no effect:\n${[...new Set(lines)].join('\n')}\n`;
}

function writeHelp(schema: Schema<unknown>, prefix: string, width: number, lines: string[]): void {
  for (const [key, field] of Object.entries(schema.fields)) {
    const nested = nestedOf(field.format);
    const standard = describeDefault(field);
    const note = standard === 'required' || standard === 'optional' ? standard : `default ${standard}`;
    lines.push(`  ${prefix}${key}  (${describeField(field)}; ${note})`);
    lines.push(...wrap(field.doc, width, '      '));
    for (const innerSchema of nested) writeHelp(innerSchema, `${prefix}${key}.`, width, lines);
  }
  for (const [key, { instead }] of schema.ignored) lines.push(`  ${prefix}${key}  (no effect: ${instead})`);
}

function nestedSchemas(schema: Schema<unknown>): [string, Schema<unknown>][] {
  return Object.entries(schema.fields).flatMap(([key, field]) =>
    nestedOf(field.format).map((nested): [string, Schema<unknown>] => [key, nested]),
  );
}

function nestedOf(format: Parameters<typeof formatOf>[0]): Schema<unknown>[] {
  return (formatOf(format).nested ?? []).filter((nested): nested is Schema<unknown> => 'fields' in nested);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    if (line.length + word.length + 1 > width && line.trim() !== '') {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  if (line.trim() !== '') lines.push(line);
  return lines;
}
