// The .onnx side of `anemone export`: a trained model for other programs.
import type { TrainableModel } from '../model/index.js';

export interface OnnxOptions {
  /** Encoder frames that the files take at least, as typed. */
  readonly maxFrames?: string | undefined;
  /** Branch of a hybrid model. */
  readonly decoder?: string | undefined;
  /** Whose files. */
  readonly for?: 'nemo' | 'sherpa' | 'peft' | undefined;
  readonly streaming?: boolean | undefined;
  /** LEFT,RIGHT as typed. */
  readonly attContextSize?: string;
}

/** Options that say how a .onnx is to be; others cannot have them. @throws AnemoneError `cli.option` */
export async function onlyOnnx(options: OnnxOptions): Promise<void> {
  const { AnemoneError } = await import('../errors/index.js');
  const givenOptions = [
    options.for !== undefined && '--for',
    options.streaming && '--streaming',
    options.attContextSize !== undefined && '--att-context-size',
    options.decoder !== undefined && '--decoder',
    options.maxFrames !== undefined && '--max-frames',
  ].find(Boolean);
  if (!givenOptions) return;
  throw new AnemoneError({
    code: 'cli.option',
    path: givenOptions,
    message: 'is for files in ONNX (OUTPUT.onnx)',
  });
}

/**
 * Writes `file`, or beside it encoder-NAME and for a transducer decoder_joint-NAME, for an attention decoder
 * decoder-NAME; returns the names.
 * @throws AnemoneError `cli.option`, `cli.not-speech`, `export.*`
 */
export async function exportToOnnx(
  model: TrainableModel,
  file: string,
  { maxFrames, decoder, for: program, streaming, attContextSize }: OnnxOptions,
): Promise<readonly string[]> {
  const { AnemoneError } = await import('../errors/index.js');
  const { isSpeechModel } = await import('./trained-model.js');
  if (!isSpeechModel(model)) {
    throw new AnemoneError({ code: 'cli.not-speech', message: 'this model cannot be exported to ONNX' });
  }
  if (decoder !== undefined && decoder !== 'rnnt' && decoder !== 'ctc') {
    throw new AnemoneError({ code: 'cli.option', path: '--decoder', message: 'expected rnnt or ctc' });
  }
  const frames = maxFrames === undefined ? undefined : Number(maxFrames);
  if (frames !== undefined && !(Number.isInteger(frames) && frames >= 1)) {
    throw new AnemoneError({ code: 'cli.option', path: '--max-frames', message: 'expected a whole number' });
  }
  const context = attContextSize === undefined ? undefined : contextSize(attContextSize);
  if (attContextSize !== undefined && !(context && streaming)) {
    const message = streaming ? 'expected two whole numbers, as in 70,13' : 'needs --streaming';
    throw new AnemoneError({ code: 'cli.option', path: '--att-context-size', message });
  }
  return model.export(file, {
    decoder,
    maxFrames: frames,
    for: program === 'peft' ? undefined : program,
    streaming: streaming && (context ? { attContextSize: context } : true),
  });
}

function contextSize(text: string): readonly [number, number] | undefined {
  const match = /^\[?\s*(-?\d+)\s*,\s*(-?\d+)\s*\]?$/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}
