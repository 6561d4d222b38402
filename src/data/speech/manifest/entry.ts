// The type of a manifest's lines.
import type { SourcePosition } from '../../../errors/index.js';

/** A recording inside a tar archive. */
export interface ArchivePlace {
  /** Absolute path of the archive. */
  readonly path: string;
  /** Bytes of the archive before the recording, and of the recording. */
  readonly offset: number;
  readonly size: number;
}

/** One utterance as a manifest describes it, after paths were resolved and types checked. Not audio. */
export interface ManifestEntry {
  /** Absolute path of the recording; `archive:member` for one in an archive. */
  readonly audioPath: string;
  /** Seconds to skip in the recording. */
  readonly offset: number;
  /** Seconds, more than 0. */
  readonly duration: number;
  /** Reference transcript; empty when the manifest has none and none was required. */
  readonly text: string;
  readonly speaker?: string;
  readonly lang?: string;
  /** Class of a classification manifest (`label`, or `labels` joined as written). */
  readonly label?: string;
  /** Hz the recording had before it was converted, as the manifest says. */
  readonly origSampleRate?: number;
  /** Number of the archive it is in, as the manifest says. */
  readonly shardId?: number;
  /** Values of the keys that the reader asked for, as text. */
  readonly custom?: Readonly<Record<string, string>>;
  readonly archive?: ArchivePlace;
  /** The line as it stands in the manifest, where the reader asked for it. */
  readonly line?: Readonly<Record<string, unknown>>;
  /** Where it was read. */
  readonly source: SourcePosition;
}

/** `path` or `path@offset`: what reports call the utterance. */
export function utteranceName(entry: Pick<ManifestEntry, 'audioPath' | 'offset'>): string {
  return entry.offset > 0 ? `${entry.audioPath}@${entry.offset}` : entry.audioPath;
}
