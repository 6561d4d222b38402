// The components of families of speech models.
import type { ConfigNode } from '../../config/index.js';
import { type ComponentDescriptor, type ComponentRegistry, component } from '../../container/index.js';
import { type ModelContext, type ModelFactory, modelKind } from '../../model/index.js';
import type { SpeechParts } from '../nemo/saved-config.js';
import type { ArchiveSections } from '../nemo/speech-archive.js';
import type { ModelFamily } from './model-family.js';
import type { SpeechModel } from './speech-model.js';

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
