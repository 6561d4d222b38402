// The types of what `transcribe` gives.
import { AnemoneError } from '../../errors/index.js';
import type { Hypothesis } from '../../generation/index.js';
import { type Tokenizer, WordPieceTokenizer } from '../../text/index.js';
import { aggregate } from '../decoding/confidence/aggregate.js';
import { hypothesisText } from '../decoding/hypothesis-text.js';
import type { ConfidenceOptions, TimestampType } from '../decoding/shared-config.js';
import {
  type Offset,
  segmentOffsets,
  tokenOffsets,
  vocabularyPunctuation,
  wordOffsets,
} from '../decoding/timestamps/offsets.js';
import { wordsOfTokens } from '../decoding/timestamps/words-of-tokens.js';

/**
 * What a user gets of a hypothesis: text, tokens in time, and where asked for timestamps, confidences and
 * alternatives.
 */
export interface Transcript {
  readonly text: string;
  readonly tokens: readonly TimedToken[];
  /** Sum of the log-probabilities of the choices made. */
  readonly score: number;
  /** With `compute_timestamps`. */
  readonly timestamps?: Timestamps;
  /** With `confidence_cfg`. */
  readonly confidence?: Confidences;
  /** With `return_best_hypothesis: false`: all that the beam search kept, best first. */
  readonly alternatives?: readonly Transcript[];
}

/** A token and when it was said. */
export interface TimedToken {
  readonly token: string;
  /** Of the model's tokenizer. */
  readonly id: number;
  /** Start of the encoder frame that emitted it, in seconds; attention decoders do not say it. */
  readonly seconds?: number;
}

/** Text from `start` to `end`, in seconds and in encoder frames. */
export interface TimedText {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly startFrame: number;
  readonly endFrame: number;
}

/** Words and the like with their times, of the kinds that were asked for. */
export interface Timestamps {
  /** Characters or subwords. */
  readonly char?: readonly TimedText[];
  readonly word?: readonly TimedText[];
  readonly segment?: readonly TimedText[];
}

/** Numbers that are 1 where the model is sure; some measures go a little below 0. */
export interface Confidences {
  /** [encoder frames][choices at the frame] */
  readonly frames: readonly (readonly number[])[];
  readonly tokens?: readonly number[];
  readonly words?: readonly number[];
}

/** What a decoding section says about transcripts. */
export interface TranscriptOptions {
  readonly kind: 'rnnt' | 'tdt' | 'ctc' | 'attention';
  /** Undefined: none. */
  readonly timestamps: TimestampType | undefined;
  readonly wordSeparator: string;
  readonly segmentSeparators: readonly string[];
  readonly segmentGap: number | null;
  readonly confidence: ConfidenceOptions | undefined;
}

export class TranscriptMaker {
  private readonly punctuation: ReadonlySet<string>;
  private readonly wordPieces: boolean;
  private readonly textOf: (ids: readonly number[]) => string;

  constructor(
    private readonly tokenizer: Tokenizer,
    /** Seconds between encoder frames. */
    private readonly frameSeconds: number,
    private readonly options: TranscriptOptions,
  ) {
    this.punctuation = vocabularyPunctuation(tokenizer.vocabulary);
    this.wordPieces = tokenizer instanceof WordPieceTokenizer;
    this.textOf = hypothesisText(tokenizer, options.kind);
  }

  transcript(hypothesis: Hypothesis): Transcript {
    const tokens = this.tokenizer.idsToTokens(hypothesis.tokens);
    const { alternatives } = hypothesis;
    return {
      text: this.textOf(hypothesis.tokens),
      tokens: tokens.map((token, i) => this.timedToken(token, hypothesis, i)),
      score: hypothesis.score,
      ...(this.options.timestamps && { timestamps: this.timestamps(hypothesis, tokens) }),
      ...(hypothesis.frameConfidence && { confidence: this.confidences(hypothesis, tokens) }),
      ...(alternatives && { alternatives: alternatives.map((alternative) => this.transcript(alternative)) }),
    };
  }

  private timedToken(token: string, { tokens, frames }: Hypothesis, index: number): TimedToken {
    const frame: number | undefined = frames[index];
    const namedToken = { token, id: tokens[index] };
    return frame === undefined ? namedToken : { ...namedToken, seconds: frame * this.frameSeconds };
  }

  private timestamps(hypothesis: Hypothesis, tokens: readonly string[]): Timestamps {
    const { tokenizer, punctuation, options } = this;
    const { timestamps: type, kind } = options;
    if (kind === 'attention') {
      throw new AnemoneError({
        code: 'asr.no-timestamps',
        message: 'an attention decoder does not say when its tokens are spoken',
        hint: 'leave out timestamps',
      });
    }
    const texts = hypothesis.tokens.map((id) => tokenizer.idsToText([id]));
    const { frames, durations } = hypothesis;
    const chars = tokenOffsets({ tokens, texts, frames, durations }, kind, punctuation);
    const words = wordOffsets(chars, {
      separator: options.wordSeparator,
      punctuation,
      wordPieces: this.wordPieces,
      join: (parts) => tokenizer.tokensToText(parts),
    });
    const segments = segmentOffsets(words, {
      separators: options.segmentSeparators,
      gap: options.segmentGap,
    });
    const timed = (offsets: readonly Offset[]): TimedText[] => offsets.map((offset) => this.timed(offset));
    const all = type === 'all';
    return {
      ...((all || type === 'char') && { char: timed(chars) }),
      ...((all || type === 'word') && { word: timed(words) }),
      ...((all || type === 'segment') && { segment: timed(segments) }),
    };
  }

  private timed({ text, start, end }: Offset): TimedText {
    const { frameSeconds: s } = this;
    return { text, start: start * s, end: end * s, startFrame: start, endFrame: end };
  }

  private confidences(hypothesis: Hypothesis, tokens: readonly string[]): Confidences {
    const { confidence } = this.options;
    const frames = hypothesis.frameConfidence ?? [];
    const { tokenConfidence: values } = hypothesis;
    if (!values || !confidence) return { frames };
    if (!confidence.words) return { frames, tokens: values };
    const texts = hypothesis.tokens.map((id) => this.tokenizer.idsToText([id]));
    const words = wordsOfTokens(tokens, texts, this.wordPieces).map((indices) =>
      aggregate(
        indices.map((i) => values[i]),
        confidence.aggregation,
      ),
    );
    return { frames, tokens: values, words };
  }
}
