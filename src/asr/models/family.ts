// Which class a `model` section without `target` describes, by the sections it has: NeMo's training scripts know it,
// their YAML files do not say it. Families of NeMo that are not here are named instead of having each key refused.
import { type ConfigNode, isMapping, pathOf, positionOf } from '../../config/index.js';
import type { ComponentRegistry } from '../../container/index.js';
import { AnemoneError, asText } from '../../errors/index.js';

/** A family of NeMo's and how its configs are recognised. */
interface Family {
  readonly name: string;
  readonly what: string;
  readonly is: (model: ConfigNode) => boolean;
}

const OTHERS: readonly Family[] = [
  {
    name: 'EncDecMultiTaskModel',
    what: 'Canary: multi-task attention',
    is: (model) => 'transf_decoder' in model && 'prompt_format' in model,
  },
  {
    name: 'EncDecTransfModelBPE',
    what: 'speech translation with an attention decoder',
    is: (model) => 'transf_decoder' in model,
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
function namedFamily(target: string): Pick<Family, 'name' | 'what'> | undefined {
  const name = target.split('.').at(-1) ?? target;
  const what = NAMED.find(([pattern]) => pattern.test(name))?.[1];
  return what === undefined ? undefined : { name, what };
}

/** @throws AnemoneError `asr.model-not-supported` for a family of NeMo's that no registered component stands for */
export function checkFamily(
  model: ConfigNode,
  components: ComponentRegistry,
): Pick<Family, 'name' | 'what'> | undefined {
  const { target } = model;
  const other = typeof target === 'string' ? namedFamily(target) : OTHERS.find(({ is }) => is(model));
  const known = components.list('model').flatMap(({ name, aliases }) => [name, ...aliases]);
  if (!other || known.includes(other.name)) return other;
  throw new AnemoneError({
    code: 'asr.model-not-supported',
    path: pathOf(model) || 'model',
    position: positionOf(model),
    message: `NeMo's ${other.name} (${other.what}) is not supported`,
    hint: 'transducer, CTC, hybrid and multitask models are',
  });
}

/**
 * The name of the model's class: its `target`, or what its sections ask for (`aux_ctc`: hybrid, `joint`: transducer,
 * a decoder alone: CTC).
 * @throws AnemoneError `asr.model-not-supported` for a family of NeMo's that no registered component stands for
 */
export function modelClass(model: ConfigNode, components: ComponentRegistry): string {
  const target = model['target'];
  const other = checkFamily(model, components);
  if (typeof target === 'string') return target;
  if (other) return other.name;
  if ('aux_ctc' in model) {
    const { model_defaults: defaults } = model;
    const prompted = isMapping(defaults) && 'prompt_dictionary' in defaults;
    return prompted ? 'EncDecHybridRNNTCTCBPEModelWithPrompt' : 'EncDecHybridRNNTCTCBPEModel';
  }
  if ('joint' in model || !('decoder' in model)) return 'EncDecRNNTBPEModel';
  return 'EncDecCTCModelBPE';
}

/** The bricks a model names, those first that say most about what it is. */
const BRICKS = ['encoder', 'decoder', 'joint', 'preprocessor', 'spec_augment'] as const;

/** An unknown brick is told alone: what else is wrong with its keys would only hide it. @throws AnemoneError */
export function checkBricks(model: ConfigNode, components: ComponentRegistry): void {
  for (const kind of BRICKS) {
    const section = sectionOf(model, kind);
    if (section && typeof section['_target_'] === 'string') {
      components.findFor(section, kind, '_target_', undefined, pathOf(section));
    }
  }
}

function targetIs(model: ConfigNode, key: string, name: RegExp): boolean {
  return name.test(asText(sectionOf(model, key)?.['_target_'] ?? ''));
}

function sectionOf(model: ConfigNode, key: string): ConfigNode | undefined {
  const section = key in model ? model[key] : undefined;
  return isMapping(section) ? section : undefined;
}
