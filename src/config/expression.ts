// The little language inside config values: `${a.b}`, `${.x}`, `${oc.env:VAR,default}`, lists, mappings and
// quoted text. This file only parses; interpolate.ts gives the meaning. Grammar: OmegaConf 2.3, Hydra 1.3.

import { AnemoneError } from '../errors/index.js';
import { type Literal, resolveGrammarWord } from './dialect.js';

export type Expression =
  | { readonly kind: 'literal'; readonly literal: Literal }
  /** Pieces of one string, joined. */
  | { readonly kind: 'join'; readonly parts: readonly Expression[] }
  /** `${a.b}`; `up` counts the leading dots, 0 for a path from the top. */
  | {
      readonly kind: 'reference';
      readonly up: number;
      readonly keys: readonly Expression[];
      readonly text: string;
    }
  /** `${name:arg,...}` */
  | {
      readonly kind: 'call';
      readonly name: Expression;
      readonly args: readonly Expression[];
      readonly text: string;
    }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [string, Expression])[] };

/** Nesting beyond this is refused rather than left to overflow the stack. */
const MAX_NESTING = 100;

/** Characters an unquoted word may not hold: they are nearly always a slip. */
const NEEDS_QUOTES = '=~()[]{}"\'';

const ESCAPABLE = '()[]{}:=, \t\\';

/** Whether a string needs parsing at all. */
export function hasInterpolation(text: string): boolean {
  return text.includes('${');
}

/** A config string: text with `${...}` in it. `\${` is a literal `${`. */
export function parseTemplate(text: string): Expression {
  const parser = new ExpressionParser(text);
  return parser.template();
}

/** A value as overrides write it: `1`, `abc`, `'a, b'`, `[1,2]`, `{a:1}`, `${x}`. */
export function parseOverrideValue(text: string): Expression {
  const parser = new ExpressionParser(text);
  return parser.overrideValue();
}

class ExpressionParser {
  private at = 0;
  private nesting = 0;

  constructor(private readonly text: string) {}

  template(): Expression {
    const parts: Expression[] = [];
    let literal = '';
    while (this.at < this.text.length) {
      const backslashes = /^\\*/.exec(this.text.slice(this.at))?.[0].length ?? 0;
      const opens = this.text.startsWith('${', this.at + backslashes);
      if (opens) {
        literal += '\\'.repeat(Math.floor(backslashes / 2));
        this.at += backslashes;
        if (backslashes % 2 === 1) {
          literal += '${';
          this.at += 2;
          continue;
        }
        if (literal !== '') parts.push(textOf(literal));
        literal = '';
        parts.push(this.interpolation());
        continue;
      }
      literal += this.text.slice(this.at, this.at + Math.max(1, backslashes));
      this.at += Math.max(1, backslashes);
    }
    if (parts.length === 0) return textOf(literal);
    if (literal !== '') parts.push(textOf(literal));
    return parts.length === 1 ? parts[0] : { kind: 'join', parts };
  }

  overrideValue(): Expression {
    const value = this.element('');
    this.spaces();
    if (this.text[this.at] === ',') {
      throw this.error(
        'a comma outside brackets would ask for a sweep over several runs, which is not supported',
        {
          hint: 'quote the value, or write a list as [a,b]',
        },
      );
    }
    if (this.at < this.text.length)
      throw this.error(`unexpected "${this.text[this.at]}"`, { hint: 'quote the value' });
    return value;
  }

  /** One value that ends before any of `stops` (or at the end of the text). */
  private element(stops: string): Expression {
    if (++this.nesting > MAX_NESTING) throw this.error(`nested more than ${MAX_NESTING} levels deep`);
    this.spaces();
    const first = this.text[this.at];
    let value: Expression;
    if (first === '[') value = this.list();
    else if (first === '{') value = this.map();
    else if ((first === '"' || first === "'") && this.quotedEndsElement(stops)) value = this.quoted();
    else value = this.words(stops);
    this.spaces();
    this.nesting--;
    return value;
  }

  private list(): Expression {
    this.expect('[');
    const items: Expression[] = [];
    this.spaces();
    if (this.take(']')) return { kind: 'list', items };
    for (;;) {
      items.push(this.element(',]'));
      if (this.take(']')) return { kind: 'list', items };
      this.expect(',', ']');
    }
  }

  private map(): Expression {
    this.expect('{');
    const entries: [string, Expression][] = [];
    this.spaces();
    if (this.take('}')) return { kind: 'map', entries };
    for (;;) {
      const key = this.element(':,}');
      if (key.kind !== 'literal') throw this.error('a key must be a plain word');
      this.expect(':');
      entries.push([String(key.literal.value), this.element(',}')]);
      if (this.take('}')) return { kind: 'map', entries };
      this.expect(',', '}');
    }
  }

  private quotedEndsElement(stops: string): boolean {
    const end = this.closingQuote();
    if (end < 0) throw this.error('the quote is never closed');
    const rest = this.text.slice(end + 1).trimStart();
    return rest === '' || (stops !== '' && stops.includes(rest[0])) || (stops === '' && rest[0] === ',');
  }

  private closingQuote(): number {
    const quote = this.text[this.at];
    for (let i = this.at + 1; i < this.text.length; i++) {
      if (this.text[i] === '\\') i++;
      else if (this.text[i] === quote) return i;
    }
    return -1;
  }

  /** Quoted text is always a string; interpolations in it still count. */
  private quoted(): Expression {
    const quote = this.text[this.at];
    const end = this.closingQuote();
    const body = this.text.slice(this.at + 1, end).replaceAll(`\\${quote}`, quote);
    this.at = end + 1;
    const trailing = /\\+$/.exec(body)?.[0].length ?? 0;
    const unescaped = body.slice(0, body.length - trailing) + '\\'.repeat(Math.ceil(trailing / 2));
    if (!hasInterpolation(unescaped)) return textOf(unescaped);
    const value = parseTemplate(unescaped);
    return value.kind === 'literal' ? value : { kind: 'join', parts: [value] };
  }

  private words(stops: string): Expression {
    const parts: Expression[] = [];
    let literal = '';
    let escaped = false;
    while (this.at < this.text.length) {
      const char = this.text[this.at];
      if (this.text.startsWith('${', this.at)) {
        if (literal !== '') parts.push(textOf(literal));
        literal = '';
        parts.push(this.interpolation());
        continue;
      }
      if (stops.includes(char) || (stops === '' && char === ',')) break;
      if (char === '\\' && ESCAPABLE.includes(this.text[this.at + 1] ?? '')) {
        literal += this.text[this.at + 1];
        escaped = true;
        this.at += 2;
        continue;
      }
      if (NEEDS_QUOTES.includes(char)) {
        throw this.error(`unexpected ${char}`, {
          hint: 'quote the value, or put a backslash before the character',
        });
      }
      literal += char;
      this.at++;
    }
    // Spaces around a value are not part of it, unless they were escaped.
    if (!escaped) literal = literal.trimEnd();
    if (parts.length === 0) {
      return escaped ? textOf(literal) : { kind: 'literal', literal: wordOrEmpty(literal) };
    }
    if (literal !== '') parts.push(textOf(literal));
    return parts.length === 1 ? parts[0] : { kind: 'join', parts };
  }

  private interpolation(): Expression {
    if (++this.nesting > MAX_NESTING) throw this.error(`nested more than ${MAX_NESTING} levels deep`);
    const start = this.at;
    this.at += 2;
    this.spaces();
    const up = /^\.*/.exec(this.text.slice(this.at))?.[0].length ?? 0;
    this.at += up;
    const keys: Expression[] = [];
    let afterSeparator = true;
    for (;;) {
      if (this.at >= this.text.length) throw this.error(`"\${" is never closed with "}"`, { at: start });
      const char = this.text[this.at];
      if (char === '}') break;
      if (char === ':' && up === 0) return this.call(keys, start);
      if (char === '.') {
        if (afterSeparator) throw this.error('two dots in a row');
        this.at++;
        afterSeparator = true;
      } else if (char === '[') {
        this.at++;
        keys.push(this.key(']'));
        this.expect(']');
        afterSeparator = false;
      } else if (afterSeparator) {
        keys.push(this.key('.[]}:'));
        afterSeparator = false;
      } else {
        throw this.error(`unexpected "${char}"`);
      }
    }
    const text = this.text.slice(start, this.at + 1);
    if (afterSeparator && (keys.length > 0 || up === 0)) {
      throw this.error(keys.length === 0 ? `"\${}" names nothing` : `"${text}" ends in a dot`, { at: start });
    }
    this.at++;
    this.nesting--;
    return { kind: 'reference', up, keys, text };
  }

  private key(stops: string): Expression {
    const parts: Expression[] = [];
    let literal = '';
    const flush = () => {
      if (literal !== '') parts.push(textOf(literal));
      literal = '';
    };
    while (this.at < this.text.length && !stops.includes(this.text[this.at])) {
      if (this.text.startsWith('${', this.at)) {
        flush();
        parts.push(this.interpolation());
      } else {
        literal += this.text[this.at++];
      }
    }
    literal = literal.trim();
    flush();
    if (parts.length === 0) throw this.error('an empty name in an interpolation');
    return parts.length === 1 && parts[0].kind === 'literal' ? parts[0] : { kind: 'join', parts };
  }

  private call(name: readonly Expression[], start: number): Expression {
    if (name.length === 0) throw this.error('a resolver without a name', { at: start });
    const parts = name.flatMap((part, i) => (i === 0 ? [part] : [textOf('.'), part]));
    this.at++;
    const args: Expression[] = [];
    this.spaces();
    if (!this.take('}')) {
      for (;;) {
        args.push(this.element(',}'));
        if (this.at >= this.text.length) throw this.error(`"\${" is never closed with "}"`, { at: start });
        if (this.take('}')) break;
        this.expect(',', '}');
      }
    }
    this.nesting--;
    return { kind: 'call', name: { kind: 'join', parts }, args, text: this.text.slice(start, this.at) };
  }

  private spaces(): void {
    while (this.text[this.at] === ' ' || this.text[this.at] === '\t') this.at++;
  }

  private take(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private expect(char: string, or?: string): void {
    if (this.take(char)) return;
    const foundText = this.at < this.text.length ? `"${this.text[this.at]}"` : 'the end';
    throw this.error(`expected "${char}"${or ? ` or "${or}"` : ''}, found ${foundText}`);
  }

  private error(message: string, options: { hint?: string; at?: number } = {}): AnemoneError {
    const column = (options.at ?? this.at) + 1;
    return new AnemoneError({
      code: 'config.bad-expression',
      message: `cannot read "${shorten(this.text)}": ${message} (character ${column})`,
      hint: options.hint,
    });
  }
}

function textOf(value: string): Expression {
  return { kind: 'literal', literal: { value, float: false } };
}

function wordOrEmpty(text: string): Literal {
  return text === '' ? { value: '', float: false } : resolveGrammarWord(text);
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
