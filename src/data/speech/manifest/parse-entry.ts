// One line of a NeMo manifest (a JSON object) to an entry. Every mistake in the line is reported, not
// only the first. Keys that no part of the library uses are left alone, as in NeMo.
import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { AnemoneError, asText, editDistance, type SourcePosition } from '../../../errors/index.js';
import { decodeUtf8, parseJsonText, readRegularFileSync } from '../../../formats/index.js';
import type { ManifestEntry } from './entry.js';

/** Which keys of a manifest's line are read. */
export interface ParseOptions {
  /** A line without any transcript is an error. Default true; prediction sets it to false. */
  readonly requireText?: boolean;
  /** Key of the transcript. Default `text`, or else one that stands in for it. */
  readonly textField?: string;
  /** Further keys to keep, in `ManifestEntry.custom`. */
  readonly custom?: readonly string[] | undefined;
  /** Keep the whole line, in `ManifestEntry.line`. Default false: a corpus has millions of them. */
  readonly keepLine?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** Bytes of a file that holds one transcript, and characters of a transcript in the manifest: days of speech. */
const MAX_TRANSCRIPT = 2 ** 20;

const LONE_SURROGATE = /\p{Surrogate}/u;

const AUDIO_KEYS = ['audio_filepath', 'audio_filename'] as const;
const TEXT_KEYS = ['text', 'text_filepath', 'normalized_text'] as const;

/** Collects what is wrong with one line. */
class LineReader {
  readonly errors: AnemoneError[] = [];

  constructor(
    readonly json: Json,
    readonly position: SourcePosition,
  ) {}

  fail(path: string, message: string, hint?: string): undefined {
    this.errors.push(
      new AnemoneError({ code: 'data.manifest-value', message, path, position: this.position, hint }),
    );
    return undefined;
  }

  /** The first of `keys` that is present, for keys that stand in for one another. */
  present(keys: readonly string[]): string | undefined {
    return keys.find((key) => this.json[key] !== undefined && this.json[key] !== null);
  }

  /** A key that has to be there is not, or is null. */
  missing(key: string, meaning: string): undefined {
    if (this.json[key] === null) return this.fail(key, 'is null', meaning);
    return this.fail(key, 'is missing', nearbyHint(this.json, key) ?? meaning);
  }

  string(key: string): string | undefined {
    const value = this.json[key];
    if (typeof value !== 'string') return this.fail(key, `expected a string, got ${describe(value)}`);
    if (!LONE_SURROGATE.test(value)) return value;
    return this.fail(
      key,
      'has half of a surrogate pair, which is no character',
      'escape characters beyond \\uffff as two \\u, or write them as they are',
    );
  }

  /** Speakers and languages are names, yet often written as numbers. */
  name(key: string): string | undefined {
    const value = this.json[key];
    if (value === undefined || value === null) return undefined;
    return typeof value === 'number' ? String(value) : this.string(key);
  }

  number(key: string, minimum: number, exclusive: boolean): number | undefined {
    const value = this.json[key];
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      const hint = typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value));
      return this.fail(
        key,
        `expected a number, got ${describe(value)}`,
        hint ? 'remove the quotes' : undefined,
      );
    }
    if (value < minimum || (exclusive && value === minimum)) {
      return this.fail(key, `must be ${exclusive ? 'more than' : 'at least'} ${minimum}, is ${value}`);
    }
    return value;
  }
}

/**
 * Parses one line.
 * @param base folder that relative paths start from
 * @returns the entry, or what is wrong with the line
 */
export function parseEntry(
  line: string,
  base: string,
  source: SourcePosition,
  options: ParseOptions = {},
): ManifestEntry | readonly AnemoneError[] {
  let json: unknown;
  try {
    json = parseJsonText(line, {
      code: 'data.manifest-json',
      position: source,
      what: 'the line',
      hint: line.trimEnd().endsWith(',')
        ? 'lines end without a comma'
        : 'each line must be one complete JSON object',
    });
  } catch (error) {
    if (error instanceof AnemoneError) return [error];
    throw error;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return [
      new AnemoneError({
        code: 'data.manifest-json',
        message: `expected a JSON object, got ${describe(json)}`,
        position: source,
      }),
    ];
  }
  const reader = new LineReader(json as Json, source);
  const audioPath = readAudioPath(reader, base);
  const duration = readDuration(reader);
  const offset = reader.json['offset'] == null ? 0 : reader.number('offset', 0, false);
  const text = readText(reader, base, audioPath, options);
  const origSampleRate =
    reader.json['orig_sample_rate'] == null ? undefined : reader.number('orig_sample_rate', 0, true);
  const speaker = reader.name('speaker');
  const lang = reader.name('lang');
  const label = readLabel(reader);
  const custom = readCustom(reader, options.custom ?? []);
  if (reader.errors.length > 0) return reader.errors;
  // Absent keys are left out: a corpus has millions of entries.
  return {
    audioPath: audioPath ?? '',
    offset: offset ?? 0,
    duration: duration ?? 0,
    text: text ?? '',
    ...(speaker === undefined ? {} : { speaker }),
    ...(lang === undefined ? {} : { lang }),
    ...(label === undefined ? {} : { label }),
    ...(origSampleRate === undefined ? {} : { origSampleRate }),
    ...(custom === undefined ? {} : { custom }),
    ...(typeof reader.json['shard_id'] === 'number' ? { shardId: reader.json['shard_id'] } : {}),
    ...(options.keepLine ? { line: reader.json } : {}),
    source,
  };
}

/** Seconds; a year of audio. More is a slip of a unit or of a key, and would be planned for. */
const MAX_SECONDS = 366 * 24 * 3600;

function readDuration(reader: LineReader): number | undefined {
  if (!('duration' in reader.json)) return reader.missing('duration', 'seconds of audio, a number');
  const seconds = reader.number('duration', 0, true);
  if (seconds === undefined || seconds <= MAX_SECONDS) return seconds;
  return reader.fail('duration', `is ${seconds} s, which no recording has`, 'durations are in seconds');
}

function readAudioPath(reader: LineReader, base: string): string | undefined {
  const key = reader.present(AUDIO_KEYS);
  if (key === undefined) return reader.missing('audio_filepath', 'the path of the recording');
  if (Array.isArray(reader.json[key])) {
    return reader.fail(key, 'a list of files (one a channel) is not supported', 'name one file');
  }
  const path = reader.string(key);
  if (path === '') return reader.fail(key, 'is empty');
  const scheme = path === undefined ? undefined : /^([a-z][a-z0-9+.-]+):\/\//i.exec(path)?.[1];
  if (scheme !== undefined) {
    return reader.fail(
      key,
      `is an address (${scheme}://); recordings are read from files of this machine`,
      'fetch it first and name the file by its path',
    );
  }
  return path === undefined ? undefined : resolvePath(path, base);
}

function readText(
  reader: LineReader,
  base: string,
  audioPath: string | undefined,
  { requireText: required = true, textField = 'text' }: ParseOptions,
): string | undefined {
  const key = reader.present(textField === 'text' ? TEXT_KEYS : [textField]);
  if (key === undefined) {
    return required ? reader.missing(textField, 'the transcript; "" for silence') : '';
  }
  const value = reader.string(key);
  if (value !== undefined && value.length > MAX_TRANSCRIPT) {
    return reader.fail(key, `has ${value.length} characters, more than ${MAX_TRANSCRIPT}`);
  }
  if (key !== 'text_filepath' || value === undefined) return value;
  return readTranscript(reader, key, resolvePath(value, base), [
    base,
    ...(audioPath === undefined ? [] : [dirname(audioPath)]),
  ]);
}

/**
 * A transcript becomes part of reports, and a manifest may be a stranger's: only files below the manifest's folder or
 * the recording's are read, links that lead elsewhere not among them.
 */
function readTranscript(
  reader: LineReader,
  key: string,
  path: string,
  folders: readonly string[],
): string | undefined {
  try {
    if (!folders.some((folder) => liesBelow(path, folder))) {
      return reader.fail(key, `${path} lies neither below the manifest's folder nor below the recording's`);
    }
    const bytes = readRegularFileSync(path, { maxBytes: MAX_TRANSCRIPT });
    return decodeUtf8(bytes, path).replace(/\r?\n/g, ' ').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = cause instanceof AnemoneError ? cause.reason : code;
    return reader.fail(key, `cannot read ${path}: ${code === 'ENOENT' ? 'no such file' : reason}`);
  }
}

function liesBelow(path: string, folder: string): boolean {
  if (!existsSync(folder)) return false;
  const way = relative(realpathSync(folder), realpathSync(path));
  return way !== '' && !/^\.\.(?:[/\\]|$)/.test(way) && !isAbsolute(way);
}

/** Texts, numbers and truth values alike as text. */
function readCustom(reader: LineReader, keys: readonly string[]): Record<string, string> | undefined {
  const foundValues: Record<string, string> = {};
  for (const key of keys) {
    const value = reader.json[key];
    if (value === undefined || value === null) continue;
    if (typeof value === 'object') reader.fail(key, `expected a string, got ${describe(value)}`);
    else foundValues[key] = String(value);
  }
  return Object.keys(foundValues).length === 0 ? undefined : foundValues;
}

function readLabel(reader: LineReader): string | undefined {
  const labels = reader.json['labels'];
  if (Array.isArray(labels)) return labels.map(asText).join(' ');
  return reader.name(reader.present(['label', 'labels', 'command']) ?? 'label');
}

/** Relative paths start at the manifest, `~` at the user's home. */
export function resolvePath(path: string, base: string): string {
  if (path === '~' || path.startsWith('~/')) return join(homedir(), path.slice(1));
  return isAbsolute(path) ? path : resolve(base, path);
}

/** The absolute folder of a manifest, which relative paths in it start from. */
export function manifestFolder(file: string): string {
  return dirname(resolve(file));
}

function nearbyHint(json: object, key: string): string | undefined {
  const nearKeys = Object.keys(json).filter((have) => have !== key && editDistance(have, key) <= Math.max(3, key.length / 3)); // biome-ignore format: one line reads better
  return nearKeys.length > 0 ? `the line has "${nearKeys[0]}"; is "${key}" meant?` : undefined;
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`;
  return typeof value === 'object' ? 'an object' : `${typeof value} ${String(value)}`;
}
