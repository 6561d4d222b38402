// Files as sherpa-onnx reads them: a model, or the three parts of a transducer, and tokens.txt, in a folder. That program
// computes features and searches by itself; what it cannot be told is checked before anything is written.
import { isMfcc, type ResolvedMel, type ResolvedMfcc } from '../../audio/index.js';
import { AnemoneError } from '../../errors/index.js';
import { RNNTDecoder } from '../decoders/rnnt-decoder.js';
import type { TransducerHead } from './decoder-joint.js';

/** A symbol and its number a line; the last is blank. */
export function sherpaTokens(vocabulary: readonly string[]): string {
  return [...vocabulary, '<blk>'].map((token, id) => `${token} ${id}\n`).join('');
}

/** What sherpa-onnx reads besides what all files have. It takes a model for TDT by its address. */
export function sherpaMetadata(modelType: string, head: TransducerHead | undefined): Record<string, string> {
  return {
    model_type: modelType,
    model_author: 'Anemone',
    version: '1',
    url: head?.variant.kind === 'tdt' ? 'tdt' : '',
    comment: head ? 'the transducer' : 'the CTC branch',
  };
}

type NemoFrontEndConfig = ResolvedMel | ResolvedMfcc;

export interface SherpaModel {
  /** Undefined for a front end of the user's. */
  readonly mel: NemoFrontEndConfig | undefined;
  /** Tokens without blank. */
  readonly vocabulary: readonly string[];
  /** Undefined for CTC. */
  readonly head: TransducerHead | undefined;
  readonly streaming: boolean;
  /** Its encoder is told a prompt. */
  readonly prompted: boolean;
}

/** @throws AnemoneError `export.sherpa` naming the key that sherpa-onnx has no counterpart of */
export function checkForSherpa({ mel, vocabulary, head, streaming, prompted }: SherpaModel): void {
  if (prompted && !(head && streaming)) {
    fail(
      'model_defaults.initialize_prompt_feature',
      'sherpa-onnx gives prompts to transducers for streams alone (streaming, without decoder: ctc)',
    );
  }
  checkFeatures(mel);
  checkTokens(vocabulary);
  if (head) checkHead(head, streaming);
}

function checkFeatures(mel: NemoFrontEndConfig | undefined): void {
  if (!mel) fail('preprocessor', 'is not one of NeMo’s; sherpa-onnx computes log-mel features');
  if (isMfcc(mel)) fail('preprocessor', 'makes MFCCs; sherpa-onnx computes log-mel features');
  const { sample_rate: rate, normalize } = mel;
  const expect = (key: string, isGood: boolean, foundValue: unknown, wantedValue: string): void => {
    if (!isGood)
      fail(
        `preprocessor.${key}`,
        `is ${JSON.stringify(foundValue)}; sherpa-onnx computes features with ${wantedValue}`,
      );
  };
  const window = Math.round(0.025 * rate);
  expect('window_size', mel.windowLength === window, mel.windowLength / rate, '0.025');
  expect('window_stride', mel.hop === Math.round(0.01 * rate), mel.hop / rate, '0.01');
  const fft = 2 ** Math.ceil(Math.log2(window));
  expect('n_fft', mel.fftSize === fft, mel.fftSize, `${fft}`);
  expect('window', mel.window === 'hann', mel.window, 'hann');
  expect('preemph', mel.preemph === 0.97, mel.preemph, '0.97');
  expect('lowfreq', mel.lowfreq === 0, mel.lowfreq, '0');
  expect('highfreq', mel.high === rate / 2, mel.high, `half the sample rate, ${rate / 2}`);
  expect('mag_power', mel.mag_power === 2, mel.mag_power, '2');
  expect('mel_norm', mel.mel_norm === 'slaney', mel.mel_norm, 'slaney');
  expect('log', mel.log, mel.log, 'true');
  expect('frame_splicing', mel.frame_splicing === 1, mel.frame_splicing, '1');
  const normalization = normalizeType(mel);
  expect(
    'normalize',
    normalization === '' || normalization === 'per_feature',
    normalize,
    'per_feature or none ("NA")',
  );
}

/** As the scripts that make sherpa-onnx's models of NeMo's write it; empty for none. */
export function normalizeType(config: NemoFrontEndConfig): string {
  const normalize = isMfcc(config) ? null : config.normalize;
  if (normalize === null) return '';
  if (typeof normalize === 'object') return 'fixed';
  return normalize === 'per_feature' || normalize === 'all_features' ? normalize : '';
}

/** A line is cut at white space; a token that is a single space is known all the same. */
function checkTokens(vocabulary: readonly string[]): void {
  const badToken = vocabulary.find(
    (token) => token === '' || token === '<blk>' || (token !== ' ' && /\s/.test(token)),
  );
  if (badToken === undefined) return;
  fail('tokenizer', `the token ${JSON.stringify(badToken)} cannot stand in sherpa-onnx's tokens.txt`);
}

function checkHead({ decoder, variant }: TransducerHead, streaming: boolean): void {
  if (!(decoder instanceof RNNTDecoder)) {
    fail('decoder', 'is stateless; sherpa-onnx runs LSTM decoders of NeMo only');
  }
  const { cells, width } = decoder as RNNTDecoder;
  if (cells !== width) {
    fail(
      'decoder.prednet.rnn_hidden_size',
      `is ${cells} and pred_hidden ${width}; sherpa-onnx has one size for both`,
    );
  }
  if (variant.kind === 'multiblank') fail('loss', 'sherpa-onnx knows no big blanks');
  if (variant.kind !== 'tdt') return;
  if (streaming) fail('loss', 'sherpa-onnx has no streaming search for TDT');
  if (variant.durations.every((duration, i) => duration === i)) return;
  const countedDurations = variant.durations.map((_, i) => i).join(', ');
  fail(
    'durations',
    `are [${variant.durations.join(', ')}]; sherpa-onnx takes them for [${countedDurations}]`,
  );
}

function fail(key: string, message: string): never {
  throw new AnemoneError({
    code: 'export.sherpa',
    path: `model.${key}`,
    message,
    hint: "leave out `for` (--for): the model's ordinary files are for any program that does it itself",
  });
}
