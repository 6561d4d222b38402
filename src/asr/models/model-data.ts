// The data sections of a speech model's config, opened.
import { type FeatureAugmentation, type FrontEnd, waveformAugmentationKind } from '../../audio/index.js';
import { type ConfigNode, hasTarget, positionOf } from '../../config/index.js';
import { type Container, LOG } from '../../container/index.js';
import {
  type DataSection,
  manifestSource,
  type SpeechDataSource,
  type SpeechLabels,
  speechContext,
} from '../../data/index.js';
import { AnemoneError } from '../../errors/index.js';
import { type BatchSource, openSources, type Section } from '../../model/index.js';

/** Where batches come from: manifests, or a component of the user's. */
export type SourceSection = DataSection | ConfigNode;
/** One set or several. */
export type SourceSections = SourceSection | readonly SourceSection[] | null;

/** What a model knows that batches depend on. */
export interface ModelDataParts {
  readonly container: Container;
  readonly seed: number;
  readonly frontEnd: FrontEnd;
  /** Training only. */
  readonly specAugment: FeatureAugmentation | null;
  /** A source of the user's. */
  readonly build: (section: Section) => SpeechDataSource;
  /** How transcripts become targets. @param langField key of the manifest that says a line's language */
  readonly labels: (langField?: string) => SpeechLabels;
}

export class ModelData {
  constructor(private readonly parts: ModelDataParts) {}

  /** @throws AnemoneError `data.several-sources`, and what is wrong with the data */
  async training(section: SourceSection | null): Promise<BatchSource | undefined> {
    if (!section) return undefined;
    const sources = await this.open('train_ds', section, true);
    if (sources.length <= 1) return sources[0];
    throw new AnemoneError({
      code: 'data.several-sources',
      path: 'model.train_ds',
      position: positionOf(section),
      message: `training takes one source of batches, and this section opened ${sources.length}`,
    });
  }

  /** @param key of the sections in the `model` section */
  async evaluation(key: string, sections: SourceSections): Promise<readonly BatchSource[]> {
    if (!sections) return [];
    if (!isList(sections)) return this.open(key, sections, false);
    const sets = await Promise.all(sections.map((set, i) => this.open(`${key}.${i}`, set, false)));
    return sets.flat();
  }

  private open(name: string, section: SourceSection, training: boolean): Promise<readonly BatchSource[]> {
    const { container, seed, frontEnd, specAugment, build, labels } = this.parts;
    const source = hasTarget(section) ? build(section) : manifestSource(section as DataSection);
    const augmentations = (augmentation: Section) =>
      container.instantiate(augmentation as ConfigNode, waveformAugmentationKind, { skip: ['prob'] });
    return openSources(
      source,
      speechContext({
        name,
        training,
        seed,
        frontEnd,
        labels,
        log: container.resolve(LOG),
        pipeline: { specAugment, augmentations },
      }),
    );
  }
}

/** The manifests that sections name. */
export function manifestsOf(sections: SourceSections): readonly string[] {
  const all = sections === null ? [] : [sections].flat();
  return all.flatMap(({ manifest_filepath: written }) => [written ?? []].flat(2)).map(String);
}

function isList(sections: SourceSection | readonly SourceSection[]): sections is readonly SourceSection[] {
  return Array.isArray(sections);
}
