// What an unquoted word of a config means: the dialect of OmegaConf's YAML loader, of its
// interpolation grammar, and Python's way of writing values inside strings.
// YAML files follow YAML 1.1 (yes/no/on/off, octal, 1:30) with one change: `1e-3` is a float.
// Overrides and resolver arguments know fewer spellings: true/false, null, decimal numbers.

export interface Literal {
  readonly value: null | boolean | number | string;
  readonly float: boolean;
}

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const TRUES = new Set(['yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']);
const FALSES = new Set(['no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']);

const BINARY = /^([-+]?)0b([01_]+)$/;
const OCTAL = /^([-+]?)0([0-7_]+)$/;
const HEX = /^([-+]?)0x([0-9a-fA-F_]+)$/;
const DECIMAL = /^[-+]?(?:0|[1-9][0-9_]*)$/;
const SEXAGESIMAL = /^([-+]?)([1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const SEXAGESIMAL_FLOAT = /^([-+]?)([0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*)$/;
const POINT_FLOAT = /^[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?$/;
const EXPONENT_FLOAT = /^[-+]?[0-9]+(?:_[0-9]+)*[eE][-+]?[0-9]+$/;
const BARE_POINT_FLOAT = /^\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?$/;
const INFINITY = /^([-+]?)\.(?:inf|Inf|INF)$/;
const NAN = /^\.(?:nan|NaN|NAN)$/;

/** `+ 0` turns the -0 of "-0", which no integer is, into 0. */
const int = (value: number): Literal => ({ value: value + 0, float: false });
const float = (value: number): Literal => ({ value, float: true });

/** The value of an unquoted YAML scalar. */
export function resolvePlainScalar(text: string): Literal {
  if (NULLS.has(text)) return { value: null, float: false };
  if (TRUES.has(text)) return { value: true, float: false };
  if (FALSES.has(text)) return { value: false, float: false };
  return (/^[-+.0-9]/.test(text) && resolveNumber(text)) || { value: text, float: false };
}

function resolveNumber(text: string): Literal | undefined {
  const digits = text.replaceAll('_', '');
  if (DECIMAL.test(text)) return int(Number(digits));
  if (POINT_FLOAT.test(text) || EXPONENT_FLOAT.test(text) || BARE_POINT_FLOAT.test(text)) {
    return float(Number(digits));
  }
  for (const [pattern, base] of [
    [BINARY, 2],
    [HEX, 16],
    [OCTAL, 8],
  ] as const) {
    const match = pattern.exec(text);
    const body = match?.[2].replaceAll('_', '');
    if (match && body) return int(withSign(match[1], Number.parseInt(body, base)));
  }
  const sixty = SEXAGESIMAL.exec(text);
  if (sixty) return int(withSign(sixty[1], sexagesimal(sixty[2])));
  const sixtyFloat = SEXAGESIMAL_FLOAT.exec(text);
  if (sixtyFloat) return float(withSign(sixtyFloat[1], sexagesimal(sixtyFloat[2])));
  const infinity = INFINITY.exec(text);
  if (infinity) return float(withSign(infinity[1], Number.POSITIVE_INFINITY));
  if (NAN.test(text)) return float(Number.NaN);
  return undefined;
}

function withSign(sign: string, value: number): number {
  return sign === '-' ? -value : value;
}

function sexagesimal(text: string): number {
  return text
    .replaceAll('_', '')
    .split(':')
    .reduce((total, part) => total * 60 + Number(part), 0);
}

const GRAMMAR_INT = /^[-+]?(?:0|[1-9](?:_?[0-9])*)$/;
const GRAMMAR_FLOAT =
  /^[-+]?(?:(?:0|[1-9](?:_?[0-9])*)\.|(?:0|[1-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*|(?:(?:0|[1-9](?:_?[0-9])*)\.?|(?:0|[1-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*)[eE][-+]?[0-9](?:_?[0-9])*)$/;
const GRAMMAR_SPECIAL = /^([-+]?)(inf|nan)$/i;

/** The value of an unquoted word in an override or a resolver's argument. */
export function resolveGrammarWord(text: string): Literal {
  if (/^null$/i.test(text)) return { value: null, float: false };
  if (/^true$/i.test(text)) return { value: true, float: false };
  if (/^false$/i.test(text)) return { value: false, float: false };
  if (GRAMMAR_INT.test(text)) return int(Number(text.replaceAll('_', '')));
  if (GRAMMAR_FLOAT.test(text)) return float(Number(text.replaceAll('_', '')));
  const special = GRAMMAR_SPECIAL.exec(text);
  if (special) {
    const isInfinity = special[2].toLowerCase() === 'inf';
    return float(withSign(special[1], isInfinity ? Number.POSITIVE_INFINITY : Number.NaN));
  }
  return { value: text, float: false };
}

/** How a value reads inside a longer string: as Python's `str()` writes it, since run names in NeMo's configs rely on it. */
export function formatInString(literal: Literal): string {
  const { value } = literal;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return value;
  return literal.float ? formatFloat(value) : String(value);
}

/** A float as Python writes it: always recognisable as a float, exponents from 1e16 up and below 1e-4. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude >= 1e16 || magnitude < 1e-4)) {
    const [mantissa, exponent] = value.toExponential().split('e');
    const digits = exponent.slice(1).padStart(2, '0');
    return `${mantissa}e${exponent[0]}${digits}`;
  }
  const text = Object.is(value, -0) ? '-0' : String(value);
  return text.includes('.') ? text : `${text}.0`;
}
