// Tokens of buffers that were decoded each by itself, joined into one hypothesis: the middle of each, or all of each
// but what the one before it had (NeMo's merge_algo middle, tdt and lcs).
import type { Hypothesis } from '../../generation/index.js';
import type { BufferMerge } from '../transcription/options.js';
import { overlapLength } from './lcs-overlap.js';

/** Tokens that a frame may have, at most, where the end of the text is compared with a new buffer; NeMo's default. */
const TOKENS_A_FRAME = 5;
/** Frames before a chunk in which a token of TDT, whose frames are skipped over, may be that which came last. */
const BOUNDARY = 4;

/** What was found in one buffer. Frames count from its beginning. */
export interface BufferFinding {
  readonly hypothesis: Hypothesis;
  /** Where the buffer begins in the recording, in frames. */
  readonly start: number;
  /** The frames that count. */
  readonly from: number;
  readonly to: number;
}

interface Token {
  readonly id: number;
  readonly frame: number;
  readonly duration?: number | undefined;
  readonly confidence?: number | undefined;
}

export class BufferMerger {
  private readonly tokens: Token[] = [];
  private score = 0;

  /** @param overlap frames that buffers have in common, at most: a buffer without its chunk */
  constructor(
    private readonly merge: Exclude<BufferMerge, 'state'>,
    private readonly overlap: number,
  ) {}

  /** The next buffer, in order. */
  add(finding: BufferFinding): void {
    const { hypothesis, start, from, to } = finding;
    const { tokens: ids, frames, durations, tokenConfidence } = hypothesis;
    const tokens = ids.map(
      (id, i): Token => ({
        id,
        frame: start + frames[i],
        duration: durations?.[i],
        confidence: tokenConfidence?.[i],
      }),
    );
    const within = (first: number, end: number) =>
      tokens.filter((_, i) => frames[i] >= first && frames[i] < end);
    this.score += hypothesis.score;
    if (this.merge === 'lcs') this.join(tokens, within(from, Number.POSITIVE_INFINITY));
    else this.tokens.push(...(durations ? this.unrepeated(within(from - BOUNDARY, to), within(from, to)) : within(from, to))); // biome-ignore format: one choice
  }

  /** Scores are those of all buffers together, overlaps counted each time. */
  hypothesis(): Hypothesis {
    const { tokens, score } = this;
    const all = <K extends 'duration' | 'confidence'>(key: K) =>
      tokens.length > 0 && tokens.every((token) => token[key] !== undefined)
        ? tokens.map((token) => token[key] as number)
        : undefined;
    const [durations, tokenConfidence] = [all('duration'), all('confidence')];
    return {
      tokens: tokens.map(({ id }) => id),
      frames: tokens.map(({ frame }) => frame),
      score,
      ...(durations && { durations }),
      ...(tokenConfidence && { tokenConfidence }),
    };
  }

  /** `first` is what counts of a buffer that has none before it. */
  private join(tokens: readonly Token[], first: readonly Token[]): void {
    if (this.tokens.length === 0) {
      this.tokens.push(...first);
      return;
    }
    const knownTokens = this.overlap < 1 ? [] : this.tokens.slice(-this.overlap * TOKENS_A_FRAME);
    const cut = overlapLength(knownTokens.map(({ id }) => id), tokens.map(({ id }) => id)); // biome-ignore format: one line reads better
    this.tokens.push(...tokens.slice(cut));
  }

  /** Tokens of a chunk, after the one that came last if that is found near the chunk's beginning. */
  private unrepeated(longer: readonly Token[], ownTokens: readonly Token[]): readonly Token[] {
    const last = this.tokens.at(-1)?.id;
    if (last === undefined) return ownTokens;
    for (let i = Math.min(longer.length - ownTokens.length, longer.length - 1); i >= 0; i--) {
      if (longer[i].id === last) return longer.slice(i + 1);
    }
    return ownTokens;
  }
}
