// One YAML document from text, refused where it nests too deep while its tokens come in. What composes nodes of tokens
// recurses, and where the stack ends within a regular expression the engine of Node ends the whole process.
import type { CST, Document, LineCounter } from 'yaml';
import { MAX_DEPTH } from './raw-tree.js';
import { yaml } from './yaml-library.js';

/** What may be open at once: the document, the containers of every level, a scalar. */
const MAX_OPEN = MAX_DEPTH + 3;

export interface YamlDocument {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** @param tooDeep makes the error for what is nested more than `MAX_DEPTH` levels deep, at an offset of the text */
export function parseYaml(
  text: string,
  tooDeep: (lines: LineCounter, offset: number) => Error,
): YamlDocument {
  const { Composer, LineCounter, YAMLParseError } = yaml();
  const lines = new LineCounter();
  // The failsafe schema leaves every scalar a string: their meaning is ours (dialect.ts), not YAML 1.2's.
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, resolveKnownTags: false });
  const tokens = tokensOf(text, lines, (offset) => tooDeep(lines, offset));
  const [document, second] = composer.compose(tokens, true, text.length);
  if (second) {
    const message = 'the file holds several documents (--- begins a new one)';
    document.errors.push(new YAMLParseError([second.range[0], second.range[1]], 'MULTIPLE_DOCS', message));
  }
  return { document: document as Document.Parsed, lines };
}

function* tokensOf(
  text: string,
  lines: LineCounter,
  tooDeep: (offset: number) => Error,
): Generator<CST.Token> {
  const { Lexer, Parser } = yaml();
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_OPEN) throw tooDeep(parser.offset);
  }
  yield* parser.end();
}
