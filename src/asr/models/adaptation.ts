// From the config of NeMo's train_asr_adapter.py to a model ready to be trained: an archive is restored, one adapter
// added, and everything else frozen. The keys are those of NeMo's asr_adaptation.yaml.
import {
  type ConfigNode,
  configFromValues,
  defineSchema,
  type Format,
  isMapping,
  plainName,
  resolveConfig,
  type SectionInput,
  selectValue,
} from '../../config/index.js';
import { AnemoneError, asText, didYouMean } from '../../errors/index.js';
import { type ModelContext, modelScope } from '../../model/index.js';
import { type RestoreOptions, restoreConfig } from '../../nemo/index.js';
import { brickComponents } from './bricks.js';
import { commonFields } from './model-schema.js';
import type { SpeechModel } from './speech-model.js';

const optional = { nullable: true, default: null } as const;

const adapterSchema = defineSchema(
  'adapter',
  {
    adapter_name: { doc: 'Name of the new adapter; no other of the model may have it.', format: 'string' },
    adapter_type: {
      doc: 'Which of the sections below describes the adapter: `linear`, `tiny_attn`, or any name.',
      format: 'string',
      default: 'linear',
    },
    adapter_module_name: {
      doc: 'Where it goes: encoder (the default), decoder, joint, or several joined by +.',
      format: 'string',
      ...optional,
    },
    adapter_state_dict_name: {
      doc: 'A file of the adapters alone is written under this name when training ends.',
      format: plainName(),
      ...optional,
    },
    global_cfg: { doc: 'Kept in the model, for NeMo.', format: 'mapping', ...optional },
  },
  { doc: 'An adapter to add and train.', extra: 'any' },
);

/** A section that takes the place of the archive's: checked, and handed on as it was written. */
function replacement(doc: string, schema: Format<unknown>) {
  const format: Format<ConfigNode> = {
    ...schema,
    check: (value, at) => {
      schema.check(value, at);
      return value as ConfigNode;
    },
  };
  return { doc, format, ...optional } as const;
}

const { train_ds, validation_ds, test_ds, spec_augment, optim } = commonFields;

export const adaptationSchema = defineSchema(
  'model to adapt',
  {
    nemo_model: { doc: 'The .nemo archive that gets the adapter.', format: 'string', ...optional },
    pretrained_model: { doc: 'A name to download; not supported.', format: 'string', ...optional },
    adapter: { doc: 'The adapter.', format: adapterSchema },
    train_ds: replacement('Training data, instead of the archive’s.', train_ds.format),
    validation_ds: replacement('Validation data, instead of the archive’s.', validation_ds.format),
    test_ds: replacement('Test data, instead of the archive’s.', test_ds.format),
    spec_augment: replacement('Masks training features; without it there are no masks.', spec_augment.format),
    optim: replacement('Optimizer and schedule, instead of the archive’s.', optim.format),
  },
  { ignored: { log_prediction: 'predictions are logged by the trainer' } },
);

/** A `model` section that describes an adapter for another model. */
export type AdaptationSection = SectionInput<typeof adaptationSchema>;

/** A model ready for the training of one adapter. */
export interface Adaptation {
  readonly model: SpeechModel;
  /** Full name of the new adapter. */
  readonly adapter: string;
  /** What to call the file of adapters that training leaves; undefined for none. */
  readonly fileName: string | undefined;
}

/** Whether a `model` section describes an adapter for another model instead of a model. */
export function isAdaptation(node: ConfigNode): boolean {
  return isMapping(node['adapter']);
}

/**
 * @param restore makes the model of an archive: `restoreModel`
 * @throws AnemoneError(s) `adapter.*`, `config.*`, and what `restore` throws
 */
export async function adaptModel(
  node: ConfigNode,
  context: ModelContext,
  restore: (path: string, context: ModelContext, options: RestoreOptions) => Promise<SpeechModel>,
): Promise<Adaptation> {
  const {
    nemo_model: path,
    pretrained_model: download,
    adapter,
    ...sections
  } = adaptationSchema.parse(node, {
    lookup: modelScope(context, brickComponents).components,
  });
  if (!path) throw noArchive(download);
  const described = adapterConfig(adapter);
  const model = await restore(path, context, await replacing(path, sections));
  const { adapter_name: givenName, adapter_module_name: module } = adapter;
  const name = module && !givenName.includes(':') ? `${module}:${givenName}` : givenName;
  if (adapter.global_cfg)
    model.adapters.setGlobal(resolveConfig(adapter.global_cfg as ConfigNode) as ConfigNode);
  model.addAdapter(name, described);
  model.setEnabledAdapters(undefined, false);
  model.setEnabledAdapters(name, true);
  model.freeze();
  model.unfreezeEnabledAdapters();
  return { model, adapter: name, fileName: adapter.adapter_state_dict_name ?? undefined };
}

/** Sections that are given take the place of the archive's; so does a missing `spec_augment`. */
async function replacing(path: string, sections: Readonly<Record<string, unknown>>): Promise<RestoreOptions> {
  const archive = await restoreConfig(path);
  const givenSections = Object.entries(sections).filter(([, value]) => value !== null);
  const gone = [...givenSections.map(([key]) => key), 'spec_augment'];
  const overrides = [...new Set(gone)]
    .map((key) => `model.${key}`)
    .filter((key) => selectValue(archive, key) !== undefined)
    .map((key) => `~${key}`);
  return { overrides, config: configFromValues({ model: Object.fromEntries(givenSections) }) };
}

function adapterConfig(adapter: Readonly<Record<string, unknown>>): ConfigNode {
  const type = asText(adapter['adapter_type']);
  const typeSection = adapter[type];
  if (isMapping(typeSection) && !(type in adapterSchema.fields)) return typeSection;
  const knownTypes = Object.keys(adapter).filter((key) => !(key in adapterSchema.fields));
  throw new AnemoneError({
    code: 'adapter.type',
    path: 'model.adapter.adapter_type',
    message: `there is no section model.adapter.${type}`,
    hint:
      didYouMean(type, knownTypes) ?? `it describes the adapter: ${type}: {_target_: LinearAdapter, dim: 32}`,
  });
}

function noArchive(download: string | null): AnemoneError {
  return new AnemoneError({
    code: 'adapter.no-model',
    path: 'model.nemo_model',
    message: download ? 'models are not downloaded by name' : 'an adapter needs a model to go into',
    hint: 'give the path of a .nemo file as model.nemo_model (anemone export makes one of a checkpoint)',
  });
}
