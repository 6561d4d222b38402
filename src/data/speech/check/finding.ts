// What a check can find, and which findings make a manifest unfit for training.
import type { SourcePosition } from '../../../errors/index.js';

/** Kinds of findings with what they mean. Fatal ones end `manifest check` with exit code 2. */
export const FINDING_KINDS = {
  'bad-line': { fatal: true, means: 'lines that cannot be read' },
  missing: { fatal: true, means: 'recordings that are not there or may not be read' },
  corrupt: { fatal: true, means: 'recordings that cannot be decoded' },
  empty: { fatal: true, means: 'recordings without a sample' },
  truncated: { fatal: true, means: 'recordings that end before their header says' },
  'out-of-range': { fatal: true, means: 'segments outside their recording' },
  'unknown-characters': { fatal: true, means: 'transcripts with characters the tokenizer does not know' },
  'no-language': { fatal: true, means: 'transcripts without a language that the tokenizer has' },
  'text-does-not-fit': { fatal: true, means: 'transcripts that CTC cannot align: too few frames' },
  'text-is-long': { fatal: false, means: 'transcripts with more tokens than encoder frames' },
  'empty-text': { fatal: false, means: 'empty transcripts' },
  'too-short': { fatal: false, means: 'utterances below min_duration' },
  'too-long': { fatal: false, means: 'utterances above max_duration' },
  'duration-mismatch': { fatal: false, means: 'durations that differ from the recording' },
  mislabelled: { fatal: false, means: 'file names that say another format' },
  damaged: { fatal: false, means: 'recordings with damaged parts' },
  duplicate: { fatal: false, means: 'segments listed more than once' },
  'same-audio': { fatal: false, means: 'different files with the same bytes' },
} as const;

/** One of the kinds of {@link FINDING_KINDS}. */
export type FindingKind = keyof typeof FINDING_KINDS;

/** One thing that is odd or wrong, and the line of the manifest it is about. */
export interface Finding {
  readonly kind: FindingKind;
  readonly position: SourcePosition;
  readonly message: string;
}

/** Whether a manifest with such a finding is unfit for training. */
export function isFatal(kind: FindingKind): boolean {
  return FINDING_KINDS[kind].fatal;
}
