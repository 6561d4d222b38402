// Which family a `model` section is of: by its `target` or, without one, by the sections it has, for NeMo's training
// scripts know it and their YAML files do not say it. Families of NeMo that nobody registered are named instead of having
// each key refused.
import { type ConfigNode, isMapping, pathOf, positionOf } from '../../config/index.js';
import type { ComponentDescriptor, ComponentRegistry } from '../../container/index.js';
import { AnemoneError, asText } from '../../errors/index.js';
import { recognisesSections } from '../../model/index.js';
import { modelComponents } from './families.js';
import { familyOf } from './model-component.js';

/** A family of NeMo's that is not here, and how its configs are recognised. */
interface ForeignFamily {
  readonly name: string;
  readonly what: string;
  readonly is: (model: ConfigNode) => boolean;
}

const FOREIGN: readonly ForeignFamily[] = [
  {
    name: 'EncDecTransfModelBPE',
    what: 'speech translation with an attention decoder',
    is: (model) => 'transf_decoder' in model && !('prompt_format' in model),
  },
  { name: 'adapters', what: 'training of adapters', is: (model) => 'adapter' in model },
  {
    name: 'speech_to_text_hf_finetune',
    what: 'data sets of Hugging Face',
    is: (model) => 'data_path' in model,
  },
  { name: 'ASRWithTTSModel', what: 'training with a TTS model', is: (model) => 'asr_model_path' in model },
  { name: 'EncDecK2SeqModelBPE', what: "k2's graph losses", is: (model) => 'graph_module_cfg' in model },
  {
    name: 'EncDecDenoiseMaskedTokenPredModel',
    what: 'self-supervised pre-training',
    is: (model) => 'quantizer' in model || 'masking' in model,
  },
  {
    name: 'SpeechEncDecSelfSupervisedModel',
    what: 'self-supervised pre-training',
    is: (model) => 'loss_list' in model || targetIs(model, 'loss', /Contrastive|MLM/) || targetIs(model, 'decoder', /Reconstruction/), // biome-ignore format: one test
  },
  {
    name: 'EncDecSpeakerLabelModel',
    what: 'speaker or language recognition',
    is: (model) => targetIs(model, 'decoder', /SpeakerDecoder/),
  },
  {
    name: 'EncDecClassificationModel',
    what: 'commands, voice activity',
    is: (model) => targetIs(model, 'decoder', /Classification|MultiLayerPerceptron|TokenClassifier/),
  },
];

/** Families that no config without `target` describes, by the names of their classes. */
const NAMED: readonly (readonly [RegExp, string])[] = [
  [/^(EncDecTransfModel|EncDecTransfModelBPE)$/, 'speech translation with an attention decoder'],
  [/^EncDec(Frame)?(Classification|Regression)Model$/, 'commands, voice activity'],
  [/SpeakerLabelModel$|^Sortformer|Diar/, 'speaker or language recognition, diarization'],
  [/^EncDecK2/, "k2's graph losses"],
  [/SelfSupervised|MaskedTokenPred/, 'self-supervised pre-training'],
  [/TTSModel$/, 'training with a TTS model'],
  [/EOU|^SLU|SALM/, 'end of utterance, intents, or a language model that hears'],
];

/** A family of NeMo's by the class that `target` names. */
function namedFamily(target: string): Pick<ForeignFamily, 'name' | 'what'> | undefined {
  const name = target.split('.').at(-1) ?? target;
  const what = NAMED.find(([pattern]) => pattern.test(name))?.[1];
  return what === undefined ? undefined : { name, what };
}

/**
 * The name of the model's class: its `target`, or that of the family that recognises the section, a user's before those
 * of this library.
 * @throws AnemoneError `asr.model-not-supported` for a family of NeMo's that no registered component stands for
 */
export function modelClass(model: ConfigNode, components: ComponentRegistry): string {
  const { target } = model;
  const models = components.list('model');
  const knownNames = models.flatMap(({ name, aliases }) => [name, ...aliases]);
  const recognised = typeof target === 'string' ? undefined : recogniser(model, models);
  const own =
    typeof target === 'string'
      ? undefined
      : models.findLast((c) => recognisesSections(c) && c.recognises(model));
  if (own) return own.name;
  if (recognised && !modelComponents.includes(recognised)) return recognised.name;
  const foreignFamily =
    typeof target === 'string' ? namedFamily(target) : FOREIGN.find(({ is }) => is(model));
  if (foreignFamily && !knownNames.includes(foreignFamily.name)) {
    throw new AnemoneError({
      code: 'asr.model-not-supported',
      path: pathOf(model) || 'model',
      position: positionOf(model),
      message: `NeMo's ${foreignFamily.name} (${foreignFamily.what}) is not supported`,
      hint: 'transducer, CTC, hybrid and multitask models are',
    });
  }
  if (typeof target === 'string') return target;
  return foreignFamily?.name ?? recognised?.name ?? 'EncDecRNNTBPEModel';
}

/** The first name of the family that recognises a section; those registered last are asked first. */
function recogniser(
  model: ConfigNode,
  models: readonly ComponentDescriptor[],
): ComponentDescriptor | undefined {
  const family = models.map(familyOf).findLast((candidate) => candidate?.recognises(model));
  return models.find((descriptor) => family !== undefined && familyOf(descriptor) === family);
}

function targetIs(model: ConfigNode, key: string, name: RegExp): boolean {
  return name.test(asText(sectionAt(model, key)?.['_target_'] ?? ''));
}

function sectionAt(model: ConfigNode, path: string): ConfigNode | undefined {
  let section: ConfigNode | undefined = model;
  for (const key of path.split('.')) {
    const value: unknown = section && key in section ? section[key] : undefined;
    section = isMapping(value) ? value : undefined;
  }
  return section;
}
