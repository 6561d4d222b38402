// The front ends there are, told apart by their keys: MFCCs have `n_mfcc`.
import type { FrontEnd } from './front-end.js';
import { type MelConfig, type ResolvedMel, resolveMelConfig } from './mel-config.js';
import { MelFrontEnd, type MelTables } from './mel-front-end.js';
import { type MfccConfig, type ResolvedMfcc, resolveMfccConfig } from './mfcc-config.js';
import { MfccFrontEnd } from './mfcc-front-end.js';

/** Keys of AudioToMelSpectrogramPreprocessor, or of AudioToMFCCPreprocessor with at least `n_mfcc`. */
export type FrontEndConfig = Partial<MelConfig> | (Partial<MfccConfig> & { readonly n_mfcc: number });

/**
 * The front end that a configuration describes; without one, NeMo's log-mel features. The front end that a
 * configuration describes; without one, NeMo's log-mel features.
 * @param tables for mel features: those of a checkpoint
 * @throws AnemoneError `audio.features-config`
 */
export function createFrontEnd(config: FrontEndConfig = {}, tables?: MelTables): FrontEnd {
  return isMfcc(config) ? new MfccFrontEnd(config) : new MelFrontEnd(config, tables);
}

/**
 * The configuration with all defaults, and what follows from them. The configuration with all defaults, and what
 * follows from them.
 * @throws AnemoneError `audio.features-config`
 */
export function resolveFrontEnd(config: FrontEndConfig): ResolvedMel | ResolvedMfcc {
  return isMfcc(config) ? resolveMfccConfig(config) : resolveMelConfig(config);
}

/** The settings of NeMo's front ends; undefined for one of the user's. */
export function nemoFrontEndConfig(frontEnd: FrontEnd): ResolvedMel | ResolvedMfcc | undefined {
  return frontEnd instanceof MelFrontEnd || frontEnd instanceof MfccFrontEnd ? frontEnd.config : undefined;
}

/** Tells the two front ends apart: only a configuration of MFCCs has the key `n_mfcc`. */
export function isMfcc<T extends object>(config: T): config is Extract<T, { readonly n_mfcc: number }> {
  return typeof config === 'object' && config !== null && 'n_mfcc' in config;
}
