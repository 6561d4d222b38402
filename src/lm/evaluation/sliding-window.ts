// Perplexity and bits per byte of whole texts, through a window that moves on: the smaller its steps, the more of what stands
// before it each token is told by (cf. transformers' "Perplexity of fixed-length models").
import { type Engine, float32, int32, nextTurn, type Program } from '../../engine/index.js';
import { AnemoneError } from '../../errors/index.js';
import type { Tokenizer } from '../../text/index.js';
import type { LanguageNetwork } from '../network.js';
import { lossProgram } from '../perplexity.js';

/** How texts are read. */
export interface WindowOptions {
  /** Tokens of a window. Default: the model's positions, at most 1024. */
  readonly context?: number;
  /** Tokens that the window moves on by, and that are counted in it. Default: half of the window. */
  readonly stride?: number;
  /** Windows at once. Default 4. */
  readonly batchSize?: number;
  /** Only so many tokens of each text. Default: all. */
  readonly mostTokens?: number;
  /** Texts begin with the tokenizer's beginning of text. Default false. */
  readonly addBos?: boolean;
}

/** What was found of a text, or of several. */
export interface TextLoss {
  /** Σ of the losses of all tokens that were counted. */
  readonly nats: number;
  readonly targets: number;
  /** Bytes of UTF-8 that the counted tokens stand for. */
  readonly bytes: number;
}

const MOST_CONTEXT = 1024;
const DEFAULT_BATCH = 4;

/** Measures texts with a network. */
export class SlidingWindow {
  private readonly program: Program;
  private readonly context: number;
  private readonly stride: number;

  /** @throws AnemoneError `lm.window` for a window that the model has no positions for, or steps beyond it */
  constructor(
    private readonly network: LanguageNetwork,
    private readonly tokenizer: Tokenizer,
    engine: Engine,
    private readonly options: WindowOptions = {},
  ) {
    const { positions } = network.options;
    this.context = options.context ?? Math.min(positions, MOST_CONTEXT);
    this.stride = options.stride ?? Math.max(1, Math.floor(this.context / 2));
    if (this.context < 2 || this.context > positions)
      throw wrong('context', `${this.context} tokens, where the model has ${positions} positions`, `2 to ${positions}`); // biome-ignore format: one line
    if (this.stride < 1 || this.stride > this.context)
      throw wrong('stride', `${this.stride} tokens, where the window has ${this.context}`, `1 to ${this.context}`); // biome-ignore format: one line
    this.program = lossProgram(network, engine);
  }

  /** Loss of a text, each token once. @throws AnemoneError `lm.window` for a text without a token to tell, `lm.tokenizer` */
  async measure(text: string, name = 'the text'): Promise<TextLoss> {
    const { ids, bytesPerToken } = this.tokensOf(text);
    if (ids.length < 2) throw wrong(name, 'there is no token to tell after another', 'a longer text');
    const width = Math.min(this.context, ids.length);
    const { batchSize = DEFAULT_BATCH } = this.options;
    const windows = windowsOf(ids.length, width, this.stride);
    let [nats, targets] = [0, 0];
    for (let first = 0; first < windows.length; first += batchSize) {
      const batch = windows.slice(first, first + batchSize);
      nats += await this.lossOf(ids, batch, width, batchSize);
      await nextTurn();
      targets += batch.reduce((sum, { from, end }) => sum + end - from, 0);
    }
    return { nats, targets, bytes: bytesPerToken * targets };
  }

  /** Ends its program. */
  dispose(): void {
    this.program.dispose();
  }

  private tokensOf(text: string): { ids: Int32Array; bytesPerToken: number } {
    const { addBos = false, mostTokens = Number.POSITIVE_INFINITY } = this.options;
    const { bosId } = this.tokenizer;
    const all = this.tokenizer.textToIds(text);
    const kept = all.length > mostTokens ? all.slice(0, mostTokens) : all;
    const beyond = kept.find((id) => id >= this.network.options.vocabulary);
    if (beyond !== undefined) {
      const message = `the tokenizer does not fit: it has a token ${beyond}, the model ${this.network.options.vocabulary} tokens`;
      throw new AnemoneError({ code: 'lm.tokenizer', message });
    }
    const bytes = kept === all ? Buffer.byteLength(text) : Buffer.byteLength(this.tokenizer.idsToText(kept));
    const ids = Int32Array.from(addBos && bosId >= 0 ? [bosId, ...kept] : kept);
    return { ids, bytesPerToken: bytes / Math.max(kept.length, 1) };
  }

  /** Windows of one width; what is beyond the text, and the rest of the batch, counts nothing. */
  private async lossOf(
    ids: Int32Array,
    windows: readonly Window[],
    width: number,
    rows: number,
  ): Promise<number> {
    const length = width - 1;
    const tokens = new Int32Array(rows * length);
    const labels = new Int32Array(rows * length);
    const lossMask = new Float32Array(rows * length);
    for (const [row, { start, from, end }] of windows.entries()) {
      tokens.set(ids.subarray(start, end - 1), row * length);
      labels.set(ids.subarray(start + 1, end), row * length);
      lossMask.fill(1, row * length + from - start - 1, row * length + end - start - 1);
    }
    const shape = [rows, length];
    const { total } = await this.program.run({
      tokens: int32(tokens, shape),
      labels: int32(labels, shape),
      lossMask: float32(lossMask, shape),
    });
    return total.data[0];
  }
}

/** Tokens from `start` to `end`, of which those from `from` on are counted. */
interface Window {
  readonly start: number;
  readonly from: number;
  readonly end: number;
}

function windowsOf(length: number, width: number, stride: number): Window[] {
  const windows: Window[] = [];
  for (let start = 0, done = 0; done < length; start += stride) {
    const end = Math.min(start + width, length);
    const from = Math.max(done, start + 1);
    if (from < end) windows.push({ start, from, end });
    done = end;
  }
  return windows;
}

/** Loss in nats a token, perplexity, and bits per byte. */
export function metricsOf(losses: readonly TextLoss[]): {
  readonly loss: number;
  readonly perplexity: number;
  readonly bits_per_byte: number;
} {
  const sum = (key: keyof TextLoss): number => losses.reduce((total, loss) => total + loss[key], 0);
  const loss = sum('nats') / sum('targets');
  return { loss, perplexity: Math.exp(loss), bits_per_byte: sum('nats') / Math.LN2 / sum('bytes') };
}

function wrong(path: string, message: string, expected: string): AnemoneError {
  return new AnemoneError({ code: 'lm.window', path, message, hint: `expected: ${expected}` });
}
