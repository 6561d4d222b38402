// Regular expressions of tokenizer files, which are Oniguruma's or Rust's, as JavaScript's. White space and digits are those of
// Unicode there, groups may ignore case, and quantifiers may be possessive.
import { AnemoneError, saidBy } from '../../errors/index.js';

/** A pattern ready for use. */
export interface Pattern {
  /** Global, by Unicode's characters. */
  readonly expression: RegExp;
  /** Whether a text exists, for all we know, on which it takes for ever: a repeated group holds something repeated. */
  readonly mayRunAway: boolean;
}

const MAX_LENGTH = 10_000;
const SPACE = '\\p{White_Space}';
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
/** Classes by their letter: what stands in brackets. */
const CLASSES: Readonly<Record<string, string>> = { s: SPACE, d: '\\p{Nd}', w: WORD };
/** What JavaScript has under the same name. */
const SAME_ESCAPES = 'tnrfv0';
const QUANTIFIER = /(?:[*+?]|\{\d*,?\d*\})[?+]?/y;

/**
 * @param source as in the file
 * @throws AnemoneError `tokenizer.pattern`
 */
export function compilePattern(source: string): Pattern {
  if (source.length > MAX_LENGTH) throw refused(`a pattern of ${source.length} characters`);
  const translator = new Translator(source);
  const translated = translator.translate();
  try {
    return { expression: new RegExp(translated, 'gu'), mayRunAway: translator.mayRunAway };
  } catch (cause) {
    throw refused(`the pattern ${JSON.stringify(source)} is not understood${saidBy(cause)}`, cause);
  }
}

/** A pattern that is a text. */
export function literalPattern(text: string): Pattern {
  return { expression: new RegExp(text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'), 'gu'), mayRunAway: false };
}

interface Group {
  readonly start: number;
  readonly ignoresCase: boolean;
  hasRepetition: boolean;
}

/** Goes over the pattern once, item by item. */
class Translator {
  mayRunAway = false;
  private at = 0;
  private out = '';
  private captures = 0;
  private readonly groups: Group[] = [];
  private ignoresCase = false;

  constructor(private readonly source: string) {}

  translate(): string {
    let item = 0;
    while (this.at < this.source.length) {
      const before = this.out.length;
      const sign = this.source[this.at];
      QUANTIFIER.lastIndex = this.at;
      const quantifier = QUANTIFIER.exec(this.source);
      if (quantifier) {
        this.repeat(item, quantifier[0]);
        continue;
      }
      if (sign === '(') this.open();
      else if (sign === ')') item = this.close();
      else {
        item = before;
        if (sign === '[') this.out += this.bracket();
        else if (sign === '\\') this.out += this.escape(false);
        else this.literal();
      }
    }
    if (this.groups.length > 0) throw refused(`the pattern ${JSON.stringify(this.source)} has an open group`);
    return this.out;
  }

  /** A quantifier of what was written from `item` on. A possessive one gives nothing back: (?=(x*))\1. */
  private repeat(item: number, quantifier: string): void {
    this.at += quantifier.length;
    const repeated = this.out.slice(item);
    const isUnbounded = !quantifier.startsWith('?') && !/^\{\d+\}/.test(quantifier);
    if (isUnbounded) {
      if (repeated.startsWith('(') && this.lastClosed?.hasRepetition) this.mayRunAway = true;
      for (const group of this.groups) group.hasRepetition = true;
      if (this.lastClosed) this.lastClosed.hasRepetition = true;
    }
    const isPossessive = quantifier.length > 1 && quantifier.endsWith('+');
    if (!isPossessive) this.out += quantifier;
    else {
      const name = `p${this.captures++}`;
      this.out = `${this.out.slice(0, item)}(?=(?<${name}>${repeated}${quantifier.slice(0, -1)}))\\k<${name}>`;
    }
  }

  private lastClosed: Group | undefined;

  private open(): void {
    const head = /\((?:\?(?::|=|!|<=|<!|i:|i-s:|>))?/y;
    head.lastIndex = this.at;
    const kind = (head.exec(this.source) as RegExpExecArray)[0];
    if (kind === '(?>' || this.source.startsWith('(?', this.at) && kind === '(') throw refused(`the pattern ${JSON.stringify(this.source)} has a group that is not understood`, undefined); // biome-ignore format: one line
    this.groups.push({ start: this.out.length, ignoresCase: this.ignoresCase, hasRepetition: false });
    if (kind.startsWith('(?i')) this.ignoresCase = true;
    // Nothing reads what groups catch.
    this.out += kind === '(' || kind.startsWith('(?i') ? '(?:' : kind;
    this.at += kind.length;
  }

  /** @returns where the group begins in what is written */
  private close(): number {
    const group = this.groups.pop();
    if (!group) throw refused(`the pattern ${JSON.stringify(this.source)} closes a group that is not open`);
    const outer = this.groups[this.groups.length - 1];
    if (outer && group.hasRepetition) outer.hasRepetition = true;
    this.ignoresCase = group.ignoresCase;
    this.lastClosed = group;
    this.out += ')';
    this.at++;
    return group.start;
  }

  private literal(): void {
    const character = String.fromCodePoint(this.source.codePointAt(this.at) as number);
    this.at += character.length;
    // Oniguruma's are those of lines.
    if (character === '^') this.out += '(?<![^\\n])';
    else if (character === '$') this.out += '(?![^\\n])';
    else if (this.ignoresCase && /\p{L}/u.test(character)) this.out += `[${casesOf(character)}]`;
    else this.out += /[\]{}/]/.test(character) ? `\\${character}` : character;
  }

  /** Brackets, whose insides have their own escapes. */
  private bracket(): string {
    let out = '[';
    this.at++;
    if (this.source[this.at] === '^') {
      out += '^';
      this.at++;
    }
    for (let isFirst = true; isFirst || this.source[this.at] !== ']'; isFirst = false) {
      const character = this.source[this.at];
      if (character === undefined)
        throw refused(`the pattern ${JSON.stringify(this.source)} has an open bracket`);
      if (character === '[' || this.source.startsWith('&&', this.at)) throw refused(`the pattern ${JSON.stringify(this.source)} has brackets within brackets`); // biome-ignore format: one line
      if (character === '\\') out += this.escape(true);
      else {
        const whole = String.fromCodePoint(this.source.codePointAt(this.at) as number);
        this.at += whole.length;
        if (this.ignoresCase && /\p{L}/u.test(whole)) out += casesOf(whole);
        else out += /[\](){}/|^]/.test(whole) ? `\\${whole}` : whole;
      }
    }
    this.at++;
    return `${out}]`;
  }

  private escape(inBracket: boolean): string {
    const letter = this.source[this.at + 1] ?? '';
    const lower = letter.toLowerCase();
    if (lower === 'p') return this.property();
    const hex = /\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))/y;
    hex.lastIndex = this.at;
    const code = hex.exec(this.source);
    if (code) {
      this.at += code[0].length;
      return `\\u{${code[1] ?? code[2] ?? code[3]}}`;
    }
    this.at += 2;
    const inside = CLASSES[lower];
    if (inside) {
      if (letter === lower) return inBracket ? inside : `[${inside}]`;
      if (!inBracket) return `[^${inside}]`;
      if (inside.startsWith('\\p') && !inside.includes('}\\')) return inside.replace('\\p', '\\P');
    }
    if (SAME_ESCAPES.includes(letter)) return `\\${letter}`;
    if (letter === 'A') return '^';
    if (letter === 'z') return '$';
    if (/[^\p{L}\p{N}]/u.test(letter)) return /[-\\^$.*+?()[\]{}|/]/.test(letter) ? `\\${letter}` : letter;
    throw refused(`the pattern ${JSON.stringify(this.source)} has \\${letter}, which is not understood`);
  }

  private property(): string {
    const form = /\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Za-z]))/y;
    form.lastIndex = this.at;
    const found = form.exec(this.source);
    if (!found)
      throw refused(`the pattern ${JSON.stringify(this.source)} has a property that is not understood`);
    this.at += found[0].length;
    const name = found[3] ?? found[4];
    const isNegative = (found[1] === 'P') !== (found[2] === '^');
    return `\\${isNegative ? 'P' : 'p'}{${propertyName(name)}}`;
  }
}

/** JavaScript wants the word Script before a script's name. */
function propertyName(name: string): string {
  for (const candidate of [name, `Script=${name}`]) {
    try {
      new RegExp(`\\p{${candidate}}`, 'u');
      return candidate;
    } catch {
      // the next is tried
    }
  }
  throw refused(`the property \\p{${name}} is not known`);
}

/** All characters that are this one when case is ignored, such as ſ for s. */
function casesOf(character: string): string {
  const forms = new Set([character, character.toLowerCase(), character.toUpperCase()]);
  if (/s/i.test(character)) forms.add('\u017f');
  if (/k/i.test(character)) forms.add('\u212a');
  return [...forms].filter((form) => [...form].length === 1).join('');
}

function refused(message: string, cause?: unknown): AnemoneError {
  return new AnemoneError({ code: 'tokenizer.pattern', message, ...(cause !== undefined && { cause }) });
}
