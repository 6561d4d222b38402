// Another vocabulary for a model: the config that asks for it, and the weights that go on.
import { type ConfigNode, configFromValues, isMapping } from '../../config/index.js';
import type { Engine, State } from '../../engine/index.js';
import type { Section } from '../../model/index.js';
import type { Module } from '../../nn/index.js';
import type { SpeechParts } from '../nemo/saved-config.js';
import type { KeptPart, ModelFamily } from './model-family.js';

/** A `tokenizer` section, or characters. */
export type Vocabulary = { readonly tokenizer: Section } | { readonly labels: readonly string[] };

/** What goes on with its weights when the vocabulary changes. */
export interface VocabularyOptions {
  /** Holds the weights; default: the engine the model was made with. */
  readonly engine?: Engine;
  /** What goes on with its weights. Default `encoder`. */
  readonly keep?: KeptPart;
}

/** A model's config with another vocabulary, which its frame classifiers take their number of classes from. */
export function configWithVocabulary(
  config: Section,
  { frameClassifiers }: ModelFamily,
  vocabulary: Vocabulary,
): ConfigNode {
  const { tokenizer: _, labels: __, ...rest } = config;
  const openedSection = frameClassifiers.reduce(
    (section, path) => withoutClasses(section, path.split('.')),
    rest,
  );
  return configFromValues({ model: { ...openedSection, ...vocabulary } }).model;
}

function withoutClasses(section: Section, [key, ...path]: readonly string[]): Section {
  const innerSection = section[key];
  if (!isMapping(innerSection)) return section;
  if (path.length > 0) return { ...section, [key]: withoutClasses(innerSection, path) };
  return 'num_classes' in innerSection
    ? { ...section, [key]: { ...innerSection, num_classes: -1, vocabulary: [] } }
    : section;
}

/**
 * Gives states of a model with a new vocabulary the values that they had before.
 * @param oldStates states by name; those that the model still has keep their values anyway
 */
export async function keepWeights(
  model: Module & SpeechParts & { readonly family: ModelFamily },
  oldStates: ReadonlyMap<string, State>,
  engine: Engine,
  keptPart: KeptPart = 'encoder',
): Promise<void> {
  const anew = model.family
    .vocabularyModules(model, keptPart)
    .flatMap((module) => [...module.stateDict().values()]);
  for (const [name, state] of model.stateDict()) {
    const before = oldStates.get(name);
    if (before && before !== state && !anew.includes(state))
      await engine.write(state, await engine.read(before));
  }
}
