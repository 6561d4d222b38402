// Greedy decoding of transducers.
import { type Engine, type HostTensors, type Program, type Tensor, tf } from '../../engine/index.js';
import type { Hypothesis } from '../../generation/index.js';
import type { PredictionNetwork } from '../decoders/prediction-network.js';
import type { TransducerJoint } from '../decoders/transducer-joint.js';
import { blankDurations, type OutputLayout, outputLayout, type TransducerVariant } from '../decoders/transducer-variant.js'; // biome-ignore format: one line reads better
import { splitOutputs } from '../decoders/variant-heads.js';
import { aggregate, byFrame, type Choice, transducerTokenConfidence } from './confidence/aggregate.js';
import { confidence } from './confidence/measure.js';
import type { FusionState, TokenFusion } from './fusion/token-fusion.js';
import type { ConfidenceOptions } from './shared-config.js';

/** The parts of a transducer that decoding runs. */
export interface TransducerNetwork {
  readonly decoder: PredictionNetwork;
  readonly joint: TransducerJoint;
  readonly variant: TransducerVariant;
}

/** How greedy decoding goes on, and what it gives beside tokens. */
export interface GreedyOptions {
  /** Most tokens emitted at one frame; null for no limit. Default 10. */
  readonly maxSymbols?: number | null;
  /** Frames looked at in one call. Default 8. */
  readonly window?: number;
  /** Default: no confidences. */
  readonly confidence?: ConfidenceOptions | undefined;
  /** Models that have a say in which token it is, where it is not blank. Default: none. */
  readonly fusion?: TokenFusion | undefined;
}

/** Encoder output after the joint's encoder projection. */
export interface ProjectedFrames {
  /** [B,T,J] */
  readonly data: Float32Array;
  readonly shape: readonly number[];
  readonly lengths: ArrayLike<number>;
}

/** Where the search of one utterance is; it can go on with further frames. */
export interface GreedyCursor {
  /** The frame looked at next. */
  frame: number;
  /** Frames before the row that is being searched. */
  origin: number;
  /** Frames before the end of that row. */
  length: number;
  /** What the prediction network remembers, [S]. */
  readonly state: Float32Array;
  /** Tokens emitted at this frame so far. */
  emitted: number;
  last: number;
  readonly tokens: number[];
  readonly frames: number[];
  readonly durations: number[];
  score: number;
  readonly choices: Choice[];
  /** State of the models that the search is fused with. */
  fusion?: FusionState | undefined;
}

/**
 * Greedy decoding of transducers, batched. One program advances the prediction network by the last token and looks
 * at the next few frames of every utterance at once; the host then moves each utterance to its first frame that is
 * not blank. So there is a call per token and per `window` blanks, not per frame. Source: NeMo's
 * GreedyBatchedRNNTInfer.
 */
export class GreedyTransducer {
  private readonly program: Program;
  private readonly maxSymbols: number;
  private readonly window: number;
  private readonly decoder: PredictionNetwork;
  private readonly variant: TransducerVariant;
  private readonly layout: OutputLayout;
  /** Frames skipped by blank and the big blanks, by distance from blank. */
  private readonly blanks: readonly number[];

  constructor(
    engine: Engine,
    network: TransducerNetwork,
    private readonly options: GreedyOptions = {},
  ) {
    const { decoder, joint, variant } = network;
    this.decoder = decoder;
    this.variant = variant;
    this.layout = outputLayout(variant, decoder.vocabulary);
    this.blanks = blankDurations(variant);
    this.maxSymbols = options.maxSymbols === null ? Number.POSITIVE_INFINITY : (options.maxSymbols ?? 10);
    this.window = options.window ?? 8;
    const { fusion } = options;
    const step = ({ last, state, frames, bonus }: Record<string, Tensor>) => {
      const next = decoder.step(last, state);
      const prediction = joint.projectPrediction(next.output);
      const [batch, width] = prediction.shape;
      const logits = joint.logits(frames, tf.reshape(prediction, [batch, 1, width]));
      return { ...this.choose(logits, bonus), state: next.state };
    };
    const name = fusion ? 'greedy-fused-step' : 'greedy-step';
    this.program = engine.compile(name, step, { constantStates: true });
  }

  /**
   * The hypothesis of each utterance of a batch.
   * @param input projected encoder frames [B,T,J]
   */
  async decode(input: ProjectedFrames): Promise<Hypothesis[]> {
    const cursors = Array.from({ length: input.shape[0] }, () => this.start());
    await this.advance(input, cursors);
    return cursors.map((cursor) => this.hypothesis(cursor));
  }

  /** Before the first frame of an utterance. */
  start(): GreedyCursor {
    const state = this.decoder.initialState().slice();
    const [last, score] = [this.decoder.vocabulary, 0];
    return { frame: 0, origin: 0, length: 0, state, emitted: 0, last, tokens: [], frames: [], durations: [], score, choices: [], fusion: this.options.fusion?.start() }; // biome-ignore format: one line reads better
  }

  /** Goes through the frames of `input`, each row of which goes on where its cursor's utterance stopped. */
  async advance(input: ProjectedFrames, cursors: readonly GreedyCursor[]): Promise<void> {
    const [batch, , width] = input.shape;
    const { stateSize } = this.decoder;
    const states = new Float32Array(batch * stateSize);
    cursors.forEach((cursor, b) => {
      cursor.origin = cursor.length;
      cursor.length += input.lengths[b];
      states.set(cursor.state, b * stateSize);
    });
    const frames = new Float32Array(batch * this.window * width);
    const last = new Int32Array(batch);
    const { vocabulary } = this.layout;
    const bonus = new Float32Array(this.options.fusion ? batch * vocabulary : 0);
    while (cursors.some((cursor) => cursor.frame < cursor.length)) {
      cursors.forEach((cursor, b) => {
        last[b] = cursor.last;
        this.copyWindow(input, b, cursor, frames);
        if (cursor.fusion) bonus.set(cursor.fusion.scores, b * vocabulary);
      });
      const out = await this.program.run({
        last: { dtype: 'int32', shape: [batch], data: last },
        state: { dtype: 'float32', shape: [batch, stateSize], data: states },
        frames: { dtype: 'float32', shape: [batch, this.window, width], data: frames },
        ...(this.options.fusion && {
          bonus: { dtype: 'float32', shape: [batch, vocabulary], data: bonus } as const,
        }),
      });
      cursors.forEach((cursor, b) => {
        if (!this.next(cursor, b, out)) return;
        // Only an emitted token moves the prediction network on.
        const at = b * stateSize;
        states.set((out['state'].data as Float32Array).subarray(at, at + stateSize), at);
      });
    }
    cursors.forEach((cursor, b) => {
      cursor.state.set(states.subarray(b * stateSize, (b + 1) * stateSize));
    });
  }

  /**
   * logits [B,W,K], bonus [B,V] where there is fusion → the best token and duration of each frame and how sure they
   * are, [B,W] each.
   */
  private choose(logits: Tensor, bonus: Tensor | undefined): Record<string, Tensor> {
    const { tokens, durations } = splitOutputs(logits, this.variant, this.layout.vocabulary);
    const score = tf.max(tokens, 2);
    const choices: Record<string, Tensor> = {
      best: tf.argMax(tokens, 2),
      scores: durations ? tf.add(score, tf.max(durations, 2)) : score,
    };
    if (durations) choices['durations'] = tf.argMax(durations, 2);
    if (bonus) {
      const [batch, window] = tokens.shape;
      const { vocabulary } = this.layout;
      const tokenLogits = tf.slice(tokens, [0, 0, 0], [batch, window, vocabulary]);
      const fused = tf.add(tokenLogits, tf.reshape(bonus, [batch, 1, vocabulary]));
      const fusedScore = tf.max(fused, 2);
      choices['fused'] = tf.argMax(fused, 2);
      choices['fusedScores'] = durations ? tf.add(fusedScore, tf.max(durations, 2)) : fusedScore;
    }
    const { confidence: settings } = this.options;
    if (settings) {
      const classes = this.layout.tokens;
      choices['confidence'] = confidence(tokens, classes, settings.method);
      if (durations && settings.includeDuration) {
        choices['durationConfidence'] = confidence(durations, classes, settings.method);
      }
    }
    return choices;
  }

  /** The next `window` frames of an utterance; beyond its end whatever was there stays. */
  private copyWindow(input: ProjectedFrames, b: number, cursor: GreedyCursor, frames: Float32Array): void {
    const [, total, width] = input.shape;
    const end = Math.min(cursor.frame + this.window, cursor.length);
    if (cursor.frame >= end) return;
    const from = (b * total + cursor.frame - cursor.origin) * width;
    frames.set(input.data.subarray(from, from + (end - cursor.frame) * width), b * this.window * width);
  }

  /** Moves past blanks to the next token, if the window holds one. True when a token was emitted. */
  private next(cursor: GreedyCursor, b: number, out: HostTensors): boolean {
    const start = cursor.frame;
    while (cursor.frame < cursor.length && cursor.frame < start + this.window) {
      const at = b * this.window + (cursor.frame - start);
      const best = out['best'].data[at];
      const isBlank = best >= this.layout.vocabulary;
      // As in NeMo, the network alone says whether it is blank.
      const isFused = !isBlank && cursor.fusion !== undefined;
      const token = isFused ? out['fused'].data[at] : best;
      cursor.score += out[isFused ? 'fusedScores' : 'scores'].data[at];
      this.note(cursor, isBlank, at, out);
      const chosenDuration =
        this.variant.kind === 'tdt' ? this.variant.durations[out['durations'].data[at]] : 0;
      if (isBlank) {
        // A blank that lasts no frame would come back for ever.
        const skipped = this.variant.kind === 'tdt' ? chosenDuration : this.blanks[this.layout.blank - token];
        this.move(cursor, Math.max(skipped, 1));
        continue;
      }
      cursor.tokens.push(token);
      cursor.frames.push(cursor.frame);
      cursor.durations.push(chosenDuration);
      cursor.last = token;
      cursor.fusion = cursor.fusion?.after(token);
      cursor.emitted++;
      if (chosenDuration > 0) this.move(cursor, chosenDuration);
      else if (cursor.emitted >= this.maxSymbols) this.move(cursor, 1);
      return true;
    }
    return false;
  }

  private move(cursor: GreedyCursor, frames: number): void {
    cursor.frame += frames;
    cursor.emitted = 0;
  }

  private note(cursor: GreedyCursor, isBlank: boolean, at: number, out: HostTensors): void {
    const { confidence: settings } = this.options;
    if (!settings) return;
    const ownConfidence = out['confidence'].data[at];
    const duration = out['durationConfidence']?.data[at];
    const value =
      duration === undefined ? ownConfidence : aggregate([ownConfidence, duration], settings.aggregation);
    cursor.choices.push({ frame: cursor.frame, isBlank, confidence: value });
  }

  /** What was found so far. */
  hypothesis({ tokens, frames, durations, score, choices, length }: GreedyCursor): Hypothesis {
    const hypothesis = { tokens, frames, score, ...(this.variant.kind === 'tdt' && { durations }) };
    const { confidence: settings } = this.options;
    if (!settings) return hypothesis;
    return {
      ...hypothesis,
      frameConfidence: byFrame(choices, length),
      ...(settings.tokens && {
        tokenConfidence: transducerTokenConfidence(choices, length, settings, this.variant.kind),
      }),
    };
  }
}
