// The adapters as components: NeMo's keys.
import { defineSchema, type FieldDefinitions, listOf } from '../config/index.js';
import { component, defineKind } from '../container/index.js';
import type { Adapter } from './adapter.js';
import { AttentionAdapter } from './attention-adapter.js';
import { LinearAdapter } from './linear-adapter.js';
import { LowRankAdapter } from './low-rank-adapter.js';

/** Adapters as a kind of component: what `_target_` of an adapter's section may name. */
export const adapterKind = defineKind<Adapter>('adapter', 'an adapter');

const strategies = ['ResidualAddAdapterStrategy', 'MHAResidualAddAdapterStrategy'];
const rate = { format: 'number', min: 0, below: 1 } as const;

const strategySchema = defineSchema(
  'adapter_strategy',
  {
    _target_: {
      doc: `How the output joins the input; the one way there is: ${strategies.join(' or ')}.`,
      format: 'string',
      default: strategies[0],
    },
    stochastic_depth: {
      doc: 'Probability that an adapter adds nothing in a training step.',
      format: 'number',
      min: 0,
      max: 1,
      default: 0,
    },
    l2_lambda: {
      doc: 'Weight of the squared length of what adapters add, as a cost beside the loss.',
      format: 'number',
      min: 0,
      default: 0,
    },
  },
  {
    doc: 'Residual addition.',
    refine: ({ _target_: name }, report) => {
      if (!strategies.includes(name.split('.').at(-1) ?? '')) {
        report('_target_', `${name} is not supported: outputs of adapters are added to their inputs`);
      }
    },
  },
);

const strategy = {
  doc: 'How the output joins the input.',
  format: strategySchema,
  default: { _target_: strategies[0], stochastic_depth: 0, l2_lambda: 0 },
  nullable: true,
} as const;
const enabled = { doc: 'Whether it takes part.', format: 'boolean', default: true } as const;
const width = {
  doc: 'Width of what it adapts; the module that takes the adapter knows it, and its number counts.',
  format: 'int',
  default: -1,
} as const;

export const linearAdapterSchema = defineSchema(
  'LinearAdapter',
  {
    in_features: width,
    dim: { doc: 'Width of the bottleneck.', format: 'int', min: 1 },
    activation: { doc: 'In the bottleneck: swish, relu, selu, gelu, …', format: 'string', default: 'swish' },
    norm_position: {
      doc: 'Layer normalisation before the bottleneck or after it.',
      format: ['pre', 'post'],
      default: 'pre',
    },
    dropout: { doc: 'On the output.', ...rate, default: 0 },
    adapter_strategy: strategy,
    enabled,
  },
  { doc: 'Bottleneck adapter (Houlsby et al. 2019), for every layer of an encoder, prediction networks, joints and classifiers.' }, // biome-ignore format: one line reads better
);

export const attentionAdapterSchema = defineSchema(
  'MultiHeadAttentionAdapter',
  {
    n_head: { doc: 'Heads.', format: 'int', min: 1 },
    n_feat: width,
    dropout_rate: { doc: 'On the attention weights.', ...rate, default: 0 },
    proj_dim: {
      doc: 'Width of queries, keys and values; null: n_feat, below 1: n_head.',
      format: 'int',
      nullable: true,
      default: null,
    },
    adapter_strategy: strategy,
    enabled,
  },
  {
    doc: 'Tiny-attention adapter (Zhao et al. 2022), after the attention of every layer of a Conformer.',
    ignored: {
      use_pytorch_sdpa: 'the engine chooses the kernels',
      use_pytorch_sdpa_backends: 'the engine chooses the kernels',
    },
  },
);

const inits = ['xavier', 'normal', 'kaiming', 'zero'] as const;

/** Keys of NeMo's `lora_tuning`, and of its LoRA of version 2. */
export const lowRankFields = {
  dim: { doc: 'Rank r: width between the two maps (NeMo 1: adapter_dim).', format: 'int', min: 1, default: 32 },
  alpha: { doc: 'What is added is multiplied by alpha / dim. null: by 1.', format: 'number', above: 0, nullable: true, default: null },
  dropout: { doc: 'In training (NeMo 1: adapter_dropout).', ...rate, default: 0 },
  dropout_position: { doc: 'Dropout of what goes in (pre, as in PEFT) or of what is added.', format: ['pre', 'post'], default: 'post' },
  target_modules: {
    doc: 'Linear maps: attention_qkv, attention_dense, mlp_fc1, mlp_fc2, attention, mlp, all; names of maps (linear_q, q_proj, pointwise_conv1); or patterns over their paths (*.layers.0.*).',
    format: listOf('string'),
    default: ['attention_qkv'],
  },
  variant: { doc: 'Of maps that stand for several, such as queries, keys and values: one pair for all (nemo) or one for each (canonical, as in PEFT).', format: ['nemo', 'canonical'], default: 'nemo' },
  layer_selection: { doc: 'Layers by number, from 1 on. null: all.', format: listOf('int'), nullable: true, default: null },
  column_init_method: { doc: 'How the first map starts.', format: inits, default: 'xavier' },
  row_init_method: { doc: 'How the second map starts; at zero a new adapter changes nothing.', format: inits, default: 'zero' },
} as const satisfies FieldDefinitions; // biome-ignore format: a table

export const lowRankSchema = defineSchema(
  'LoRA',
  { ...lowRankFields, enabled },
  { doc: 'Low-rank adapters beside linear maps (Hu et al. 2021), in language and speech models.' },
);

const plainAdd = { stochastic_depth: 0, l2_lambda: 0 };
const module = 'nemo.collections.asr.parts.submodules.adapters.multi_head_attention_adapter_module';

/** NeMo's adapters: the linear one, low-rank ones beside linear maps, and self-attention with relative and with absolute positions. */
export const adapterComponents = [
  component({
    kind: adapterKind,
    name: 'LinearAdapter',
    aliases: ['nemo.collections.common.parts.adapter_modules.LinearAdapter'],
    schema: linearAdapterSchema,
    create: (config) =>
      new LinearAdapter({ ...config, adapter_strategy: config.adapter_strategy ?? plainAdd }),
  }),
  component({
    kind: adapterKind,
    name: 'LoRA',
    aliases: ['nemo.collections.llm.peft.lora.LoRA', 'nemo.collections.llm.peft.LoRA'],
    schema: lowRankSchema,
    create: (config) => new LowRankAdapter(config),
  }),
  ...(['rel_pos', 'abs_pos'] as const).map((positions) => {
    const name =
      positions === 'rel_pos' ? 'RelPositionMultiHeadAttentionAdapter' : 'MultiHeadAttentionAdapter';
    return component({
      kind: adapterKind,
      name,
      aliases: [`${module}.${name}`],
      schema: attentionAdapterSchema,
      create: (config) =>
        new AttentionAdapter({ ...config, adapter_strategy: config.adapter_strategy ?? plainAdd }, positions),
    });
  }),
];
