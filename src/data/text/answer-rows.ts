// Rows of prompts and answers for supervised fine-tuning: JSON lines, cut into tokens, each token knowing whether it is to be learned.
import { AnemoneError } from '../../errors/index.js';
import { decodeUtf8, parseJsonText, readRegularFile } from '../../formats/index.js';

/** A row as tokens. */
export interface AnswerRow {
  readonly tokens: Int32Array;
  /** 1 for tokens that are to be learned. */
  readonly learned: Uint8Array;
  /** Bytes of text in UTF-8 that the learned tokens stand for. */
  readonly bytes: number;
  /** File and line, for messages. */
  readonly name: string;
}

/** A turn of a chat. */
export interface ChatTurn {
  readonly role: string;
  readonly content: string;
}

/** A chat as the model is used to seeing it; with `asks` up to where the next answer begins. */
export type ChatText = (turns: readonly ChatTurn[], asks: boolean) => string;

/** How rows become tokens. Keys are those of NeMo's GPTSFTDataset. */
export interface AnswerOptions {
  readonly encode: (text: string) => ArrayLike<number>;
  /** A text with `{key}` for each value of the row; the last is the answer. */
  readonly template: string;
  /** Key of the answer. */
  readonly labelKey: string;
  /** Keys whose texts are shortened where a row is too long. */
  readonly truncated: readonly string[];
  /** Which end of them is cut off. */
  readonly cut: 'left' | 'right';
  /** Most tokens of a row. */
  readonly length: number;
  /** Whether prompts are not learned. */
  readonly answerOnly: boolean;
  /** Put before a row, between prompt and answer, and after it; undefined: nothing is. */
  readonly bos: number | undefined;
  readonly separator: number | undefined;
  readonly eos: number | undefined;
  /** For rows of `messages`; undefined where the model has no template. */
  readonly chat: ChatText | undefined;
  /** What makes a row longer, for messages: `model.data.train_ds`. */
  readonly section: string;
}

/** Part of a row. */
interface Piece {
  readonly tokens: ArrayLike<number>;
  readonly learned: boolean;
  readonly bytes: number;
  /** Whether it may be shortened. */
  readonly isTruncated: boolean;
  /** Whether it is of a chat, as its template writes it. */
  readonly isTurn?: boolean;
}

/**
 * The rows of a file of JSON lines.
 * @throws AnemoneError `data.answer-file` for a line that is no row, `data.no-answer` for one in which nothing is to be learned
 */
export async function readAnswerRows(path: string, options: AnswerOptions): Promise<readonly AnswerRow[]> {
  const text = decodeUtf8(await readRegularFile(path), path);
  const rows: AnswerRow[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const position = { file: path, line: i + 1 };
    const row = parseJsonText(line, { code: 'data.answer-file', position }) as unknown;
    if (typeof row !== 'object' || row === null || Array.isArray(row))
      throw wrong(position, 'a line must be a mapping, such as {"input": "…", "output": "…"}');
    const pieces = piecesOf(row as Readonly<Record<string, unknown>>, options, position);
    rows.push(assembled(pieces, withoutDoubles(pieces, options), position));
  }
  if (rows.length > 0) return rows;
  throw new AnemoneError({ code: 'data.no-text', position: { file: path }, message: 'there are no rows' });
}

interface Place {
  readonly file: string;
  readonly line: number;
}

function piecesOf(row: Readonly<Record<string, unknown>>, options: AnswerOptions, place: Place): Piece[] {
  return Array.isArray(row['messages'])
    ? chatPieces(row['messages'], options, place)
    : templatePieces(row, options, place);
}

/** The template's text and the values in it, each cut into tokens by itself; a space before a value belongs to it, as in NeMo. */
function templatePieces(
  row: Readonly<Record<string, unknown>>,
  options: AnswerOptions,
  place: Place,
): Piece[] {
  const { template, labelKey, truncated, encode } = options;
  const piece = (text: string, key?: string): Piece => ({
    tokens: text === '' ? [] : encode(text),
    learned: key === labelKey,
    bytes: Buffer.byteLength(text),
    isTruncated: key !== undefined && truncated.includes(key),
  });
  const parts = template.split(/\{(\w+)\}/);
  const pieces: Piece[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const [before, key] = [parts[i], parts[i + 1]];
    const value = row[key];
    if (typeof value !== 'string')
      throw wrong(place, `the row has no text under "${key}"`, `${options.section}.prompt_template names the keys`); // biome-ignore format: one line
    if (key === labelKey && value.trim() === '') throw noAnswer(place, `"${key}" is empty`);
    // An empty prompt leaves no space behind it.
    const isLed = before.endsWith(' ') && pieces.some(({ tokens }) => tokens.length > 0);
    const text = before.replace(/ $/, '');
    if (text !== '') pieces.push(piece(text));
    pieces.push(piece(isLed || text !== '' ? `${before.endsWith(' ') ? ' ' : ''}${value}` : value, key));
  }
  return pieces;
}

/** Answers are the turns of the assistant, as the template writes them. */
function chatPieces(messages: readonly unknown[], options: AnswerOptions, place: Place): Piece[] {
  const { chat, encode, section } = options;
  if (!chat)
    throw wrong(place, 'the model has no chat template for rows of messages', `give prompt and answer under the keys of ${section}.prompt_template`); // biome-ignore format: one line
  const turns = messages.map((turn) => turnOf(turn, place));
  const pieces: Piece[] = [];
  let done = '';
  const add = (whole: string, learned: boolean): void => {
    if (!whole.startsWith(done))
      throw wrong(place, 'the chat template writes earlier turns anew: what is an answer cannot be told');
    const text = whole.slice(done.length);
    done = whole;
    if (text !== '')
      pieces.push({
        tokens: encode(text),
        learned,
        bytes: Buffer.byteLength(text),
        isTruncated: false,
        isTurn: true,
      });
  };
  for (const [i, { role }] of turns.entries()) {
    if (role !== 'assistant') continue;
    add(chat(turns.slice(0, i), true), false);
    add(chat(turns.slice(0, i + 1), false), true);
  }
  if (!pieces.some(({ learned }) => learned)) throw noAnswer(place, 'no turn is the assistant’s');
  return pieces;
}

/** A template that writes the beginning or the end of a text itself has it once: what would be put beside is left out. */
function withoutDoubles(pieces: readonly Piece[], options: AnswerOptions): AnswerOptions {
  const { bos, eos } = options;
  const [first, last] = [pieces[0], pieces[pieces.length - 1]];
  const begins = first?.tokens[0] === bos;
  const ends = last?.isTurn && Array.from(last.tokens).lastIndexOf(eos ?? -1) > 0;
  return { ...options, bos: begins ? undefined : bos, eos: ends ? undefined : eos };
}

function turnOf(turn: unknown, place: Place): ChatTurn {
  const { role, content } = (typeof turn === 'object' && turn !== null ? turn : {}) as Partial<ChatTurn>;
  if (typeof role === 'string' && typeof content === 'string') return { role, content };
  throw wrong(place, 'a message must be a mapping with texts under "role" and "content"');
}

/** One row of the pieces, no longer than it may be. */
function assembled(given: readonly Piece[], options: AnswerOptions, place: Place): AnswerRow {
  const { bos, separator, eos, answerOnly, length, cut } = options;
  const mark = (id: number | undefined, learned: boolean): Piece[] =>
    id === undefined ? [] : [{ tokens: [id], learned, bytes: 0, isTruncated: false }];
  const answer = given.findIndex(({ learned }) => learned);
  const all = [...mark(bos, false), ...given.slice(0, answer), ...mark(separator, false), ...given.slice(answer), ...mark(eos, true)]; // biome-ignore format: one line
  let excess = all.reduce((sum, { tokens }) => sum + tokens.length, 0) - length;
  const pieces = all.map((piece) => {
    if (!piece.isTruncated || excess <= 0) return piece;
    const kept = Math.max(piece.tokens.length - excess, 0);
    excess -= piece.tokens.length - kept;
    const from = cut === 'left' ? piece.tokens.length - kept : 0;
    return { ...piece, tokens: Array.prototype.slice.call(piece.tokens, from, from + kept) as number[] };
  });
  const tokens = Int32Array.from(pieces.flatMap(({ tokens }) => Array.from(tokens))).subarray(0, length);
  const learned = Uint8Array.from(
    pieces.flatMap((piece) => Array.from(piece.tokens, () => Number(!answerOnly || piece.learned))),
  ).subarray(0, length);
  // The first token is nobody's target.
  if (!learned.subarray(1).some((value) => value === 1))
    throw noAnswer(place, `${length} tokens hold the prompt, and nothing of the answer`, `set ${options.section}.max_seq_length higher, or truncation_field`); // biome-ignore format: one line
  const bytes = pieces.reduce((sum, piece) => sum + (!answerOnly || piece.learned ? piece.bytes : 0), 0);
  return { tokens, learned, bytes, name: `${place.file}:${place.line}` };
}

function wrong(position: Place, message: string, hint?: string): AnemoneError {
  return new AnemoneError({ code: 'data.answer-file', position, message, hint });
}

function noAnswer(position: Place, message: string, hint?: string): AnemoneError {
  return new AnemoneError({
    code: 'data.no-answer',
    position,
    message: `nothing of this row would be learned: ${message}`,
    hint,
  });
}
