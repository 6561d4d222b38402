// Configs as plain objects and as YAML text. The text is the effective config: interpolated, in the dialect
// the reader understands, so that reading it again gives the same values.

import { formatPosition, printable } from '../errors/index.js';
import {
  type ConfigNode,
  type ConfigValue,
  copyOrigin,
  entriesOf,
  MISSING,
  positionOf,
  writtenAsFloat,
} from './config-node.js';
import { formatFloat, resolvePlainScalar } from './dialect.js';
import { MISSING_TEXT } from './raw-tree.js';
import { requireMapping } from './require-mapping.js';

/** What YAML text says beside the values. */
export interface ToYamlOptions {
  /** Adds to each value a comment with its file and line (default false). */
  readonly positions?: boolean;
}

/** The config as ordinary mutable objects and arrays, whose places are known; `???` stays the text `???`. */
export function resolveConfig(config: ConfigNode): Record<string, unknown> {
  return plain(config) as Record<string, unknown>;
}

/** The config as YAML. */
export function toYaml(config: Readonly<Record<string, unknown>>, options: ToYamlOptions = {}): string {
  requireMapping(config, 'config');
  const lines: string[] = [];
  if (Object.keys(config).length === 0) return '{}\n';
  writeMap(config, '', options, lines);
  return `${lines.join('\n')}\n`;
}

function plain(value: unknown): unknown {
  if (value === MISSING) return MISSING_TEXT;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const copy = Object.fromEntries(entriesOf(value).map(([key, child]) => [key, plain(child)]));
  copyOrigin(value, copy);
  return copy;
}

function writeMap(node: object, indent: string, options: ToYamlOptions, lines: string[]): void {
  for (const [key, value] of entriesOf(node)) {
    writeEntry(`${indent}${scalarText(key, false)}:`, node, key, value, indent, options, lines);
  }
}

function writeEntry(
  head: string,
  parent: object,
  key: string | number,
  value: unknown,
  indent: string,
  options: ToYamlOptions,
  lines: string[],
): void {
  const position = options.positions ? positionOf(parent, key) : undefined;
  const note = position ? `  # ${printable(formatPosition(position))}` : '';
  const inline = inlineText(value, writtenAsFloat(parent, key));
  if (inline !== undefined) {
    lines.push(`${head} ${inline}${note}`);
    return;
  }
  lines.push(`${head}${note}`);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    for (const i of value.keys()) writeItem(value, i, deeper, options, lines);
  } else {
    writeMap(value as object, deeper, options, lines);
  }
}

function writeItem(
  list: readonly unknown[],
  index: number,
  indent: string,
  options: ToYamlOptions,
  lines: string[],
): void {
  const value = list[index];
  if (typeof value !== 'object' || value === null || inlineText(value, false) !== undefined) {
    writeEntry(`${indent}-`, list, index, value, indent, options, lines);
    return;
  }
  const innerLines: string[] = [];
  if (Array.isArray(value)) {
    for (const i of value.keys()) writeItem(value, i, `${indent}  `, options, innerLines);
  } else {
    writeMap(value, `${indent}  `, options, innerLines);
  }
  innerLines[0] = `${indent}- ${innerLines[0].slice(indent.length + 2)}`;
  lines.push(...innerLines);
}

/** Scalars, empty containers and lists of scalars fit on the line of their key. */
function inlineText(value: unknown, float: boolean): string | undefined {
  if (value === MISSING) return MISSING_TEXT;
  if (typeof value !== 'object' || value === null) return scalarText(value as ConfigValue, float);
  if (!Array.isArray(value)) return Object.keys(value).length === 0 ? '{}' : undefined;
  if (value.some((item) => typeof item === 'object' && item !== null)) return undefined;
  return `[${value.map((item, i) => scalarText(item as ConfigValue, writtenAsFloat(value, i), true)).join(', ')}]`;
}

function scalarText(value: ConfigValue, float: boolean, inFlow = false): string {
  if (typeof value === 'number') {
    if (Number.isNaN(value)) return '.nan';
    if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
    return float || !Number.isInteger(value) || Math.abs(value) >= 2 ** 53
      ? formatFloat(value)
      : String(value);
  }
  if (typeof value !== 'string') return String(value);
  // A literal `${` must not be taken for an interpolation when the text is read again.
  const text = value.replace(/(\\*)\$\{/g, '$1$1\\${');
  return isPlainSafe(text, inFlow)
    ? text
    : JSON.stringify(text).replace(
        /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
        escapeChar,
      );
}

function isPlainSafe(text: string, inFlow: boolean): boolean {
  if (typeof resolvePlainScalar(text).value !== 'string' || text === '<<') return false;
  if (!/^[\p{L}\p{N}_/.$(+<][^\p{C}\u2028\u2029]*$/u.test(text) || /\s$|:(\s|$)|\s#/.test(text)) return false;
  return !(inFlow && /[[\]{},]/.test(text)) && !/^(?:\.\.\.|---)/.test(text) && !/["'\\]/.test(text);
}

function escapeChar(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
