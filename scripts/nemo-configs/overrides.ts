// The overrides scripts/nemo-configs.ts adds to a config: values for what it leaves open (???), and sizes at which two
// steps take seconds. Nothing else of the config is changed.
import { type ConfigNode, isMapping, resolveConfig } from '../../src/config/index.js';
import type { Corpus } from './corpus.js';

/** What fine-tuning configs start from, and what adapters are added to; and the width of its encoder. */
const ARCHIVE = new URL('../../test/fixtures/nemo/hybrid-bpe.nemo', import.meta.url).pathname;
const ARCHIVE_WIDTH = 8;

type Tree = Readonly<Record<string, unknown>>;

/** A value for every `???`, by the key's name. */
export function fillIn(config: ConfigNode, corpus: Corpus): string[] {
  return open(resolveConfig(config), '').map(([path, key]) => {
    if (/manifest/.test(key)) return `${path}=${corpus.manifest}`;
    if (/tarred|tar_/.test(key)) return `${path}=${corpus.archive}`;
    if (key === 'type') return `${path}=bpe`;
    if (key === 'prompt_format') return `${path}=canary`;
    if (path.endsWith('spl_tokens.dir')) return `${path}=${corpus.specialTokens}`;
    if (key === 'model_dir') return `${path}=${corpus.specialTokens}`;
    if (/^(in_features|n_feat)$/.test(key)) return `${path}=${ARCHIVE_WIDTH}`;
    if (/^(dir|model_path|tokenizer)/.test(key)) return `${path}=${corpus.tokenizer}`;
    return `${path}=${/size|classes|rate|hidden/.test(key) ? 16 : 'unset'}`;
  });
}

/** Paths and last keys of what is `???`. */
function open(value: unknown, path: string): [string, string][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]): [string, string][] => {
    const at = path === '' ? key : `${path}.${key}`;
    return child === '???' ? [[at, key]] : open(child, at);
  });
}

/** Two steps of a small model of the same kind. */
export function shrink(config: ConfigNode, corpus: Corpus): string[] {
  const { model, exp_manager: manager } = resolveConfig(config);
  const overrides = [
    '++trainer.max_steps=2',
    '++trainer.limit_val_batches=1',
    '++trainer.engine={threads: 1}',
  ];
  // A first run has nothing to go on from, and NeMo asks for the key too.
  if (isMapping(manager) && manager['resume_if_exists'] === true) {
    overrides.push('++exp_manager.resume_ignore_no_checkpoint=true');
  }
  if (!isMapping(model)) return overrides;
  if ('adapter' in model) overrides.push(`model.nemo_model=${ARCHIVE}`);
  else if (!('encoder' in model)) overrides.push(`++init_from_nemo_model=${ARCHIVE}`);
  // These models have one language in their examples; `lang` of the manifest names two.
  for (const section of 'prompt_format' in model ? ['train_ds', 'validation_ds', 'test_ds'] : []) {
    overrides.push(`++model.${section}.lang_field=target_lang`);
  }
  const set = (path: string, value: unknown): void => {
    if (lookUp(model, path) !== undefined) overrides.push(`model.${path}=${String(value)}`);
  };
  for (const section of ['train_ds', 'validation_ds']) {
    set(`${section}.batch_size`, 4);
    set(`${section}.num_workers`, 0);
    if (isMapping(lookUp(model, section))) overrides.push(`++model.${section}.num_workers=0`);
    if (corpus.manifest !== lookUp(model, `${section}.manifest_filepath`)) {
      set(`${section}.manifest_filepath`, corpus.manifest);
    }
  }
  for (const [key, value] of Object.entries(SIZES)) set(key, value);
  const blocks = lookUp(model, 'encoder.jasper');
  if (Array.isArray(blocks)) {
    for (const [i, block] of (blocks as Tree[]).entries()) {
      set(`encoder.jasper.${i}.filters`, 16);
      if (Number(block['repeat']) > 1) set(`encoder.jasper.${i}.repeat`, 2);
    }
    set('decoder.feat_in', 16);
    set('model_defaults.enc_hidden', 16);
  }
  return overrides;
}

const SIZES = {
  'encoder.d_model': 16,
  'encoder.n_heads': 2,
  'encoder.n_layers': 2,
  'encoder.subsampling_conv_channels': 8,
  'encoder.proj_size': 12,
  'encoder.time_reduce_idx': 0,
  'model_defaults.asr_enc_hidden': 16,
  'model_defaults.lm_enc_hidden': 16,
  'model_defaults.lm_dec_hidden': 16,
  'transf_decoder.config_dict.num_layers': 2,
  'model_defaults.pred_hidden': 16,
  'model_defaults.joint_hidden': 16,
  'decoder.prednet.rnn_hidden_size': 20,
  'encoder.conv_kernel_size': 5,
} as const;

function lookUp(tree: unknown, path: string): unknown {
  let value = tree;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Tree)[key];
  }
  return value;
}
