// The interface of model families.
import type { ConfigNode, Schema } from '../../config/index.js';
import type { Tensors } from '../../engine/index.js';
import type { StepOutput } from '../../model/index.js';
import type { Module } from '../../nn/index.js';
import type { Encoded } from '../encoders/encoder.js';
import type { SavedFamily, SpeechParts } from '../nemo/saved-config.js';
import type { ArchiveSections } from '../nemo/speech-archive.js';

/** How large a stage may be, and what was larger. */
export interface StageBound {
  readonly mostNumbers: number;
  /** Gets a sentence for each stage that is not computed. */
  readonly leftOut: Set<string>;
}

/** Which part of a model keeps its weights when the vocabulary changes: the encoder, or all that can. */
export type KeptPart = 'encoder' | 'all';

/**
 * What the library knows of one family of models beside how it computes: how its section is recognised, its classes in
 * NeMo, its saved config, its stages, what depends on the vocabulary. A family stands in one file beside its class;
 * whatever works for all models reads it from here.
 * @typeParam M what the family's functions read of a model; its class has these members
 */
export interface ModelFamily<M extends SpeechParts = SpeechParts> extends SavedFamily<M> {
  /** Keys of its `model` section. */
  readonly schema: Schema<unknown>;
  /** Whether a section without `target` describes such a model. Families that were registered last are asked first. */
  recognises(section: ConfigNode): boolean;
  /** Its sections in .nemo archives. */
  readonly archive: ArchiveSections;
  /**
   * What `inspect` shows behind the encoder, in the order of the network.
   * @param encoder output of the encoder, [B,T',d] and lengths int32 [B]
   * @param inputs as in `Batch.inputs`
   */
  stages(model: M, encoder: Encoded, inputs: Tensors, bound: StageBound): Tensors;
  /** The losses of a step under the names that `inspect` shows. */
  lossStages(step: Pick<StepOutput, 'loss' | 'logs'>): Tensors;
  /** What another vocabulary makes anew. */
  vocabularyModules(model: M, keptPart: KeptPart): readonly Module[];
  /** Dotted paths of the sections of frame classifiers, whose number of classes is that of the vocabulary. */
  readonly frameClassifiers: readonly string[];
}

/** A module that knows which of its layers a vocabulary decides. */
interface VocabularyBound extends Module {
  readonly vocabularyLayers: readonly Module[];
}

/** Modules behind the encoder start anew as a whole, or where all is kept, by the layers that the vocabulary decides. */
export function vocabularyPart(modules: readonly VocabularyBound[], keptPart: KeptPart): readonly Module[] {
  return keptPart === 'encoder' ? modules : modules.flatMap((module) => module.vocabularyLayers);
}
