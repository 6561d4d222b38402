// Checks manifests and the recordings they name. Gathers facts and findings; says nothing to anyone and
// changes nothing. Printing is in render.ts.
import { type AnemoneError, formatPosition, printable } from '../../../errors/index.js';
import { type ManifestEntry, type ManifestSpec, scanManifests, utteranceName } from '../manifest/index.js';
import { type Finding, type FindingKind, isFatal } from './finding.js';
import { type Histogram, histogram } from './histogram.js';
import type { Inspection } from './inspect.js';
import { type InspectOptions, inspectAll } from './inspect-all.js';
import { type FitConfig, TextFit } from './text-fit.js';

/** What the check needs of a tokenizer; `Tokenizer` of the text folder fits. */
export interface CheckTokenizer {
  /** Ids of a text, whose number is compared with the recording's frames. */
  textToIds(text: string, lang?: string): ArrayLike<number>;
  /** The distinct characters of a text that have no token. */
  unknownCharacters(text: string, lang?: string): string[];
  /** The languages of a tokenizer that must know the language of a text. */
  readonly langs?: readonly string[];
}

/** What manifests are held against. */
export interface CheckOptions extends FitConfig, InspectOptions {
  readonly tokenizer?: CheckTokenizer | undefined;
  /** Seconds. Default 0.1. */
  readonly minDuration?: number | undefined;
  /** Seconds. Default: no bound. */
  readonly maxDuration?: number | undefined;
  /** Transcripts are needed. Default true. */
  readonly requireText?: boolean;
}

/** What a check found in one or more manifests. */
export interface CheckReport {
  readonly utterances: number;
  readonly seconds: number;
  /** Distinct recordings. */
  readonly files: number;
  readonly speakers: number;
  readonly durations: Histogram | undefined;
  /** Lengths of transcripts, in `textUnit`. */
  readonly textLengths: Histogram | undefined;
  readonly textUnit: 'characters' | 'tokens';
  /** Recordings by sample rate, by channels, by format. */
  readonly sampleRates: ReadonlyMap<string, number>;
  readonly channels: ReadonlyMap<string, number>;
  readonly formats: ReadonlyMap<string, number>;
  /** Unknown characters and in how many transcripts each occurs. */
  readonly unknownCharacters: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
  /** Whether a finding makes the manifest unfit. */
  readonly fatal: boolean;
}

/** Differences of durations that matter: so many seconds and such a share. */
const MISMATCH = { seconds: 0.1, share: 0.02 };

/**
 * Reads the manifests and the header of every recording they name, and reports facts and findings. Mistakes in the
 * files are findings, not errors.
 * @throws AnemoneError `manifest.missing`, `manifest.unreadable` where a manifest cannot be read at all
 */
export async function checkManifests(spec: ManifestSpec, options: CheckOptions = {}): Promise<CheckReport> {
  const contents = await scanManifests(spec, { maxErrors: 10_000, requireText: options.requireText ?? true });
  const { entries } = contents;
  const findings: Finding[] = contents.errors.map(lineFinding);
  const inspections = await inspectAll(
    entries.map((e) => e.audioPath),
    options,
  );
  const text = checkTexts(entries, options);
  findings.push(
    ...checkAudio(entries, inspections),
    ...checkDurations(entries, options),
    ...duplicates(entries, inspections),
    ...text.findings,
  );
  const usableFiles = [...inspections.values()].filter((inspection) => inspection.error === undefined);
  return {
    utterances: entries.length,
    seconds: entries.reduce((sum, e) => sum + e.duration, 0),
    files: inspections.size,
    speakers: new Set(entries.flatMap((e) => e.speaker ?? [])).size,
    durations: histogram(entries.map((e) => e.duration)),
    textLengths: histogram(text.lengths),
    textUnit: options.tokenizer ? 'tokens' : 'characters',
    sampleRates: tally(usableFiles.map((inspection) => `${inspection.sampleRate} Hz`)),
    channels: tally(usableFiles.map((inspection) => String(inspection.channels))),
    formats: tally(usableFiles.map((inspection) => String(inspection.format))),
    unknownCharacters: text.unknown,
    findings,
    fatal: findings.some((finding) => isFatal(finding.kind)),
  };
}

function lineFinding(error: AnemoneError): Finding {
  const position = error.position ?? { file: 'manifest' };
  // The prefix as messages have it: a name with control characters stands there in its printable form.
  const place = `${printable(formatPosition(position))}: `;
  const message = error.message.startsWith(place) ? error.message.slice(place.length) : error.message;
  return { kind: 'bad-line', position, message };
}

const KIND_OF_ERROR: Readonly<Record<string, FindingKind>> = {
  'audio.missing': 'missing',
  'audio.unreadable': 'missing',
  'audio.empty': 'empty',
  'audio.truncated': 'truncated',
};

const KIND_OF_WARNING: Readonly<Record<string, FindingKind>> = {
  'audio.mislabelled': 'mislabelled',
  'audio.truncated': 'truncated',
  'audio.damaged': 'damaged',
};

function checkAudio(
  entries: readonly ManifestEntry[],
  inspections: ReadonlyMap<string, Inspection>,
): Finding[] {
  const findings: Finding[] = [];
  const toldPaths = new Set<string>();
  for (const entry of entries) {
    const inspection = inspections.get(entry.audioPath);
    if (!inspection) continue;
    const position = entry.source;
    // A recording with many segments is reported once.
    if (!toldPaths.has(entry.audioPath)) {
      toldPaths.add(entry.audioPath);
      if (inspection.error) {
        findings.push({
          kind: KIND_OF_ERROR[inspection.error.code] ?? 'corrupt',
          position,
          message: inspection.error.message,
        });
      }
      for (const { code, message } of inspection.warnings) {
        const kind = KIND_OF_WARNING[code];
        if (kind) findings.push({ kind, position, message: `${entry.audioPath}: ${message}` });
      }
    }
    const complaint =
      inspection.duration === undefined ? undefined : segmentComplaint(entry, inspection.duration);
    if (complaint) findings.push({ ...complaint, position });
  }
  return findings;
}

function segmentComplaint(entry: ManifestEntry, have: number): Omit<Finding, 'position'> | undefined {
  const name = utteranceName(entry);
  if (entry.offset >= have) {
    const message = `${name}: the segment starts at ${entry.offset} s, the recording has ${have.toFixed(2)} s`;
    return { kind: 'out-of-range', message };
  }
  const rest = have - entry.offset;
  const excess = entry.duration - rest;
  const matters = (difference: number) =>
    difference > MISMATCH.seconds && difference > MISMATCH.share * entry.duration;
  // A segment with an offset may well end before the recording does.
  if (matters(excess) || (entry.offset === 0 && matters(-excess))) {
    const message = `${name}: the manifest says ${entry.duration} s, there are ${rest.toFixed(2)} s`;
    return { kind: 'duration-mismatch', message };
  }
  return undefined;
}

function checkDurations(
  entries: readonly ManifestEntry[],
  { minDuration = 0.1, maxDuration = Number.POSITIVE_INFINITY }: CheckOptions,
): Finding[] {
  return entries.flatMap((entry): Finding[] => {
    const message = `${utteranceName(entry)}: ${entry.duration} s`;
    if (entry.duration < minDuration) return [{ kind: 'too-short', position: entry.source, message }];
    return entry.duration > maxDuration ? [{ kind: 'too-long', position: entry.source, message }] : [];
  });
}

function duplicates(
  entries: readonly ManifestEntry[],
  inspections: ReadonlyMap<string, Inspection>,
): Finding[] {
  const findings: Finding[] = [];
  const segments = new Map<string, ManifestEntry>();
  const contents = new Map<string, ManifestEntry>();
  for (const entry of entries) {
    const key = `${entry.audioPath}\0${entry.offset}`;
    const first = segments.get(key);
    const where = (of: ManifestEntry) => `${of.source.file}:${of.source.line}`;
    if (first) {
      const text = first.text === entry.text ? 'same transcript' : 'another transcript';
      const message = `${utteranceName(entry)} is also at ${where(first)}, with ${text}`;
      findings.push({ kind: 'duplicate', position: entry.source, message });
      continue;
    }
    segments.set(key, entry);
    const digest = inspections.get(entry.audioPath)?.digest;
    if (digest === undefined) continue;
    const content = `${digest}\0${entry.offset}`;
    const twin = contents.get(content);
    if (twin) {
      const text = twin.text === entry.text ? 'same transcript' : 'another transcript';
      const message = `${entry.audioPath} has the bytes of ${twin.audioPath} (${where(twin)}), ${text}`;
      findings.push({ kind: 'same-audio', position: entry.source, message });
    } else contents.set(content, entry);
  }
  return findings;
}

function checkTexts(
  entries: readonly ManifestEntry[],
  options: CheckOptions,
): { findings: Finding[]; lengths: number[]; unknown: Map<string, number> } {
  const { tokenizer } = options;
  const fit = new TextFit(options);
  const findings: Finding[] = [];
  const unknownCounts = new Map<string, number>();
  const lengths = entries.map((entry) => {
    const position = entry.source;
    const name = utteranceName(entry);
    if (entry.text.trim() === '') findings.push({ kind: 'empty-text', position, message: name });
    if (!tokenizer) return [...entry.text].length;
    const { lang } = entry;
    const { langs = [] } = tokenizer;
    if (lang === undefined ? langs.length > 1 : langs.length > 0 && !langs.includes(lang)) {
      const message = `${name}: ${lang === undefined ? 'no lang' : `lang ${JSON.stringify(lang)}`}; the tokenizer has ${langs.join(', ')}`;
      findings.push({ kind: 'no-language', position, message });
      return [...entry.text].length;
    }
    const strangeCharacters = tokenizer.unknownCharacters(entry.text, lang);
    for (const character of strangeCharacters)
      unknownCounts.set(character, (unknownCounts.get(character) ?? 0) + 1);
    if (strangeCharacters.length > 0) {
      const shownCharacters = strangeCharacters.map(showCharacter).join(', ');
      findings.push({ kind: 'unknown-characters', position, message: `${name}: ${shownCharacters}` });
      // A tokenizer may refuse such a text; its length is then that of its characters.
      return [...entry.text].length;
    }
    const ids = tokenizer.textToIds(entry.text, lang);
    const complaint = fit.complaint(ids, entry.duration);
    if (complaint) findings.push({ ...complaint, position, message: `${name}: ${complaint.message}` });
    return ids.length;
  });
  return { findings, lengths, unknown: unknownCounts };
}

/** `"ä" (U+00E4)`. */
export function showCharacter(character: string): string {
  const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0');
  return `${JSON.stringify(character)} (U+${code})`;
}

function tally(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return new Map([...counts].sort((a, b) => b[1] - a[1]));
}
