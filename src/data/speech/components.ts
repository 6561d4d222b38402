// The data source that reads manifests, as a component: what data sections describe without `_target_`.
import { type ComponentDescriptor, component } from '../../container/index.js';
import { dataSourceKind } from '../../model/index.js';
import { openEvaluationSources, openSpeechSource } from './open-speech.js';
import { type DataSection, dataSchema } from './section.js';
import type { SpeechContext, SpeechDataSource } from './speech-context.js';

/** The recordings that manifests list. @param section checked keys of `train_ds`, `validation_ds` or `test_ds` */
export function manifestSource(section: DataSection): SpeechDataSource {
  return {
    open(context: SpeechContext) {
      const { name, training, seed, log, frontEnd, pipeline, labels } = context;
      const options = { name, section, seed, log, frontEnd, ...pipeline, ...labels(section.lang_field) };
      return training ? openSpeechSource({ ...options, training }) : openEvaluationSources(options);
    },
  };
}

/** The data sources of this library. */
export const dataComponents: readonly ComponentDescriptor[] = [
  component({ kind: dataSourceKind, name: 'ManifestSource', schema: dataSchema, create: manifestSource }),
];
