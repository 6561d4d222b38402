// Cutting a text where a pattern matches, with the names of Hugging Face's tokenizers for what becomes of the matches.
import { withinTime } from '../bounded.js';
import type { JsonNode } from './json-node.js';
import { compilePattern, literalPattern, type Pattern } from './pattern.js';

const BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type SplitBehavior = (typeof BEHAVIORS)[number];

/** Cuts a text into pieces; none of them is empty. */
export type Splitter = (text: string) => string[];

const MOST_MILLISECONDS = 20_000;

/** The `pattern` of a step: {String} or {Regex}. @throws AnemoneError `tokenizer.pattern`, `tokenizer.damaged` */
export function patternOf(node: JsonNode): Pattern {
  if (typeof node.value === 'string') return literalPattern(node.value);
  const literal = node.field('String').optionalText();
  return literal === undefined ? compilePattern(node.field('Regex').text()) : literalPattern(literal);
}

export function behaviorOf(node: JsonNode, fallback: SplitBehavior): SplitBehavior {
  // Rust's names of old files are in lower case.
  const written = node.text(fallback).toLowerCase().replace(/_/g, '');
  const behavior = BEHAVIORS.find((name) => name.toLowerCase() === written);
  if (behavior) return behavior;
  throw node.unsupported(`the behavior "${node.text()}"`, BEHAVIORS);
}

/** @param inverts what lies between the matches counts as the matches */
export function splitterBy(pattern: Pattern, behavior: SplitBehavior, inverts = false): Splitter {
  const split = rawSplitter(pattern.expression, behavior, inverts);
  if (!pattern.mayRunAway) return split;
  const otherwise = {
    code: 'tokenizer.pattern',
    message: `the tokenizer’s pattern takes too long on a text: ${pattern.expression.source.slice(0, 100)}`,
  };
  return (text) => withinTime(MOST_MILLISECONDS, otherwise, () => split(text));
}

function rawSplitter(expression: RegExp, behavior: SplitBehavior, inverts: boolean): Splitter {
  // What most models do: each match and each gap is a piece.
  if (behavior === 'Isolated') return (text) => isolated(text, expression);
  if (behavior === 'Removed' && inverts) return (text) => text.match(expression)?.filter(Boolean) ?? [];
  return (text) => joined(marked(text, expression, inverts), behavior);
}

function isolated(text: string, expression: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  expression.lastIndex = 0;
  for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
    const { index } = match;
    const found = match[0];
    if (found.length === 0) {
      expression.lastIndex += (text.codePointAt(index) as number) > 0xffff ? 2 : 1;
      continue;
    }
    if (index > end) pieces.push(text.slice(end, index));
    pieces.push(found);
    end = index + found.length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

interface MarkedPiece {
  text: string;
  readonly isMatch: boolean;
}

function marked(text: string, expression: RegExp, inverts: boolean): MarkedPiece[] {
  const pieces: MarkedPiece[] = [];
  let end = 0;
  for (const match of text.matchAll(expression)) {
    if (match[0] === '') continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index), isMatch: inverts });
    pieces.push({ text: match[0], isMatch: !inverts });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end), isMatch: inverts });
  return pieces;
}

function joined(pieces: readonly MarkedPiece[], behavior: SplitBehavior): string[] {
  if (behavior === 'Removed') return pieces.filter(({ isMatch }) => !isMatch).map(({ text }) => text);
  if (behavior === 'Isolated') return pieces.map(({ text }) => text);
  // A match joins its neighbour, unless that is a match too; Contiguous joins neighbours of one kind.
  const fromEnd = behavior === 'MergedWithNext';
  const out: string[] = [];
  let wasMatch: boolean | undefined = behavior === 'Contiguous' ? undefined : false;
  for (const { text, isMatch } of fromEnd ? [...pieces].reverse() : pieces) {
    const joins = behavior === 'Contiguous' ? isMatch === wasMatch : isMatch && !wasMatch;
    if (joins && out.length > 0) {
      const last = out.length - 1;
      out[last] = fromEnd ? text + out[last] : out[last] + text;
    } else out.push(text);
    wasMatch = isMatch;
  }
  return fromEnd ? out.reverse() : out;
}
