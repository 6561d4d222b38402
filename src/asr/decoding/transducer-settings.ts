// What a transducer's sections say together: which variant it is, and that loss, joint and decoding agree.
import { AnemoneError } from '../../errors/index.js';
import { extraOutputs, plainRnnt, type TransducerVariant } from '../decoders/transducer-variant.js';
import type { DecodingConfig } from './config.js';

/**
 * The variant of the loss, or without a loss section that of the decoding section.
 * @throws AnemoneError `asr.variant` if a section contradicts
 */
export function transducerVariant(
  loss: TransducerVariant | undefined,
  decoding: Pick<DecodingConfig, 'durations' | 'big_blank_durations'> | null,
  jointExtraOutputs: number,
): TransducerVariant {
  const wantedVariant = decodingVariant(decoding);
  const variant = loss ?? wantedVariant ?? plainRnnt;
  if (wantedVariant && describe(wantedVariant) !== describe(variant)) {
    throw mismatch(
      'model.decoding',
      `says ${describe(wantedVariant)}, but model.loss trains ${describe(variant)}`,
      'give both the same durations, best by reference to model.model_defaults',
    );
  }
  if (extraOutputs(variant) !== jointExtraOutputs) {
    throw mismatch(
      'model.joint.num_extra_outputs',
      `is ${jointExtraOutputs}, but ${describe(variant)} needs ${extraOutputs(variant)}`,
      variant.kind === 'rnnt'
        ? 'leave it out, or choose loss_name tdt or multiblank_rnnt'
        : 'RNNTJoint with as many extra outputs as there are durations',
    );
  }
  return variant;
}

function decodingVariant(
  decoding: Pick<DecodingConfig, 'durations' | 'big_blank_durations'> | null,
): TransducerVariant | undefined {
  const { durations, big_blank_durations: bigBlanks } = decoding ?? {};
  if (durations && durations.length > 0) return { kind: 'tdt', durations };
  if (bigBlanks && bigBlanks.length > 0) return { kind: 'multiblank', durations: bigBlanks };
  return undefined;
}

function describe(variant: TransducerVariant): string {
  if (variant.kind === 'rnnt') return 'plain RNN-T';
  const name = variant.kind === 'tdt' ? 'TDT with durations' : 'big blanks of';
  return `${name} [${variant.durations.join(', ')}]`;
}

function mismatch(path: string, message: string, hint: string): AnemoneError {
  return new AnemoneError({ code: 'asr.variant', path, message, hint });
}
