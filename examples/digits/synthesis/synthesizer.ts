// What the preparation asks of a speech synthesizer, whichever package is behind it. Settings are ratios
// to the voice's own nature, so that one sampler can vary voices of different engines alike.
import type { Clip } from './clip.js';

export type EngineName = 'espeak' | 'flite' | 'gnuspeech';

/** How one voice speaks. All ratios are 1 for the voice as its makers left it. */
export interface VoiceSettings {
  readonly engine: EngineName;
  /** The engine's own voice name. */
  readonly base: string;
  /** Formants are scaled by this: above 1 a shorter vocal tract, below 1 a longer one. */
  readonly formants: number;
  /** Mean fundamental frequency. */
  readonly pitch: number;
  /** Excursion of the fundamental frequency around its mean. */
  readonly intonation: number;
  /** Speaking rate. */
  readonly rate: number;
}

export interface Synthesizer {
  /** Speaks `text`. Deterministic: the same arguments give the same samples. */
  synthesize(text: string, voice: VoiceSettings): Promise<Clip>;
}
