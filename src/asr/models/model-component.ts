// Models by name, so that a configuration's `target` says which one it describes.
import type { ConfigNode } from '../../config/index.js';
import {
  type ComponentDescriptor,
  type ComponentRegistry,
  component,
  defineKind,
} from '../../container/index.js';
import type { ModelContext, TrainableModel } from '../../model/index.js';
import type { SpeechParts } from '../nemo/saved-config.js';
import type { ArchiveSections } from '../nemo/speech-archive.js';
import type { ModelFamily } from './model-family.js';
import type { SpeechModel } from './speech-model.js';

/** Makes models of one class. A model component builds this, for a model needs more than its config. */
export interface ModelFactory {
  /**
   * Makes a model of the config that has a `model` section, or of that section itself.
   * @throws AnemoneErrors all mistakes of the section
   */
  fromConfig(node: ConfigNode, context?: ModelContext): TrainableModel;
}

/** Models as a kind of component: what `target` of a `model` section may name. */
export const modelKind = defineKind<ModelFactory>('model', 'a model');

/** A class whose instances have what functions of a family read of them. */
interface FamilyClass<M extends SpeechParts> extends ModelFactory {
  fromConfig(node: ConfigNode, context?: ModelContext): SpeechModel & M;
}

interface FamilyComponent extends ComponentDescriptor {
  readonly family: ModelFamily;
}

/**
 * The components of a family, one for each of its names: hand them to `registerAll`, and configs, archives and
 * `inspect` know the family.
 * @param tokens its class; @param characters its class for `labels`, where it has one
 */
export function familyComponents<M extends SpeechParts>(
  family: ModelFamily<M>,
  tokens: FamilyClass<M>,
  characters: FamilyClass<M> = tokens,
): readonly ComponentDescriptor[] {
  const { classes, schema } = family;
  const namedClasses = [
    [classes.tokens, tokens] as const,
    ...(classes.characters ? [[classes.characters, characters] as const] : []),
  ];
  return namedClasses.map(([{ name, paths }, model]): FamilyComponent => {
    const descriptor = component({ kind: modelKind, name, aliases: paths, schema, create: () => model });
    return { ...descriptor, family };
  });
}

/** The family of a model component; undefined for one that was made without. */
export function familyOf(descriptor: ComponentDescriptor): ModelFamily | undefined {
  return isFamilyComponent(descriptor) ? descriptor.family : undefined;
}

/** All families that are registered, in that order. */
export function familiesOf(components: ComponentRegistry): readonly ModelFamily[] {
  return [...new Set(components.list('model').flatMap((descriptor) => familyOf(descriptor) ?? []))];
}

/** The sections that archives may have: those of a family, and of all that are registered. */
export function archivesOf(
  components: ComponentRegistry,
  family?: Pick<ModelFamily, 'archive'>,
): readonly ArchiveSections[] {
  return [...(family ? [family] : []), ...familiesOf(components)].map(({ archive }) => archive);
}

function isFamilyComponent(descriptor: ComponentDescriptor): descriptor is FamilyComponent {
  return 'family' in descriptor;
}
