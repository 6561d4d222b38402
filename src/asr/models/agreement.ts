// Keys of a model section that say the same thing in two places, such as the width that one part gives and the next
// takes. Where they differ, both are named, with their lines, before anything is opened or compiled.
import { type FrontEnd, isMfcc, nemoFrontEndConfig } from '../../audio/index.js';
import { type ConfigNode, pathOf, placeOf } from '../../config/index.js';
import { AnemoneError, formatPosition } from '../../errors/index.js';
import { SAMPLE_RATES } from '../nemo/speech-archive.js';

/**
 * @param key of `model`; where it is absent, null or a placeholder (not above 0), there is nothing to compare
 * @param otherKey key of `model` that decides
 * @param value what `other` makes it
 * @throws AnemoneError `config.disagreement`
 */
export function mustAgree(model: ConfigNode, key: string, otherKey: string, value: number): void {
  const place = placeOf(model, key);
  if (typeof place?.value !== 'number' || place.value <= 0 || place.value === value) return;
  const prefix = pathOf(model) || 'model';
  const position = placeOf(model, otherKey)?.position;
  const where = position ? ` (${formatPosition(position)})` : '';
  throw new AnemoneError({
    code: 'config.disagreement',
    path: `${prefix}.${key}`,
    position: place.position,
    message: `is ${place.value}, but ${prefix}.${otherKey}${where} makes it ${value}`,
    hint: 'let both say the same',
  });
}

/**
 * The rate at which the front end works is that of the model and of its data.
 * @throws AnemoneError `config.disagreement`
 */
export function checkSampleRates(model: ConfigNode, rate: number): void {
  for (const key of SAMPLE_RATES) mustAgree(model, key, 'preprocessor.sample_rate', rate);
}

/**
 * The encoder takes frames as wide as the front end's. One with a `frame_splicing` of its own counts them before splicing.
 * @throws AnemoneError `config.disagreement`
 */
export function checkFeatureWidth(model: ConfigNode, frontEnd: FrontEnd): void {
  const frontEndConfig = nemoFrontEndConfig(frontEnd);
  const key = frontEndConfig
    ? isMfcc(frontEndConfig)
      ? 'preprocessor.n_mfcc'
      : 'preprocessor.features'
    : 'preprocessor';
  const splicing = placeOf(model, 'encoder.frame_splicing')?.value;
  const factor = typeof splicing === 'number' && splicing > 0 ? splicing : 1;
  mustAgree(model, 'encoder.feat_in', key, frontEnd.config.width / factor);
}

/**
 * Sizes of a classifier of frames at `section`. A section of an archive lists its vocabulary, too; another tokenizer then
 * takes its place.
 * @throws AnemoneError `config.disagreement`
 */
export function checkFrameDecoder(
  model: ConfigNode,
  section: string,
  encoderWidth: number,
  vocabSize: number,
): void {
  mustAgree(model, `${section}.feat_in`, widthKey(model), encoderWidth);
  const listedTokens = placeOf(model, `${section}.vocabulary`)?.value;
  if (Array.isArray(listedTokens) && listedTokens.length > 0) {
    mustAgree(model, `${section}.num_classes`, `${section}.vocabulary`, listedTokens.length);
  } else {
    const source = placeOf(model, 'tokenizer')?.value ? 'tokenizer' : 'labels';
    mustAgree(model, `${section}.num_classes`, source, vocabSize);
  }
}

/** The key that decides how wide an encoder's output is. */
export function widthKey(model: ConfigNode): string {
  const outerWidth = placeOf(model, 'encoder.feat_out')?.value;
  if (typeof outerWidth === 'number' && outerWidth > 0) return 'encoder.feat_out';
  const decidingKey = ['encoder.d_model', 'encoder.jasper'].find((key) => placeOf(model, key) !== undefined);
  return decidingKey ?? 'encoder';
}
