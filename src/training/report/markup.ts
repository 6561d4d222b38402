// Escaping for HTML and SVG text, and numbers as short text.
import { printable } from '../../errors/index.js';

/** Text of strangers shows as what it is: markup as text, and controls and changes of direction as `\x1b` or `\u202e`. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return printable(text).replace(/[&<>"]/g, (character) => entities[character]);
}

/** Up to four significant digits. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2).replace(/\.?0+e/, 'e');
  return String(Number(value.toPrecision(4)));
}

/** Coordinates need no more digits. */
export function coordinate(value: number): string {
  return String(Number(value.toFixed(1)));
}
