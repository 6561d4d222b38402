// The .onnx side of `anemone export`: a trained model for other programs.
import type { TrainableModel } from '../nn/index.js';

export interface OnnxOptions {
  /** Encoder frames that the files take at least, as typed. */
  readonly maxFrames?: string;
  /** Branch of a hybrid model. */
  readonly decoder?: string;
}

/**
 * Writes `file`, or beside it encoder-NAME and for a transducer decoder_joint-NAME, for an attention decoder
 * decoder-NAME; returns the names.
 * @throws AnemoneError `cli.option`, `cli.not-speech`, `export.*`
 */
export async function exportToOnnx(
  model: TrainableModel,
  file: string,
  { maxFrames, decoder }: OnnxOptions,
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
  return model.export(file, { decoder, maxFrames: frames });
}
