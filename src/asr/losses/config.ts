// The `loss` section of speech models: NeMo's names.
import { defineSchema, type InferConfig, listOf } from '../../config/index.js';
import { component } from '../../container/index.js';
import { plainRnnt } from '../decoders/transducer-variant.js';
import { CTCLoss } from './ctc.js';
import { frameLossKind, transducerLossKind } from './loss-kinds.js';
import { RNNTLoss, type RnntLossConfig } from './rnnt.js';

const commonOptions = {
  fastemit_lambda: {
    doc: 'Weight of FastEmit, which favours early tokens (Yu et al. 2021).',
    format: 'number',
    min: 0,
    default: 0,
  },
  clamp: { doc: 'Clips the gradients of the logits to ±clamp; off when ≤ 0.', format: 'number', default: -1 },
} as const;

const sigma = {
  doc: 'Taken off the log-probabilities of tokens and blanks, so that long steps pay.',
  format: 'number',
  min: 0,
  default: 0,
} as const;

const kwargs = defineSchema('rnnt loss options', commonOptions);

const multiBlankKwargs = defineSchema(
  'multiblank loss options',
  {
    ...commonOptions,
    big_blank_durations: {
      doc: 'Frames that each big blank skips; joint.num_extra_outputs is their number.',
      format: listOf('int', { min: 1 }),
    },
    sigma,
  },
  {
    refine: ({ big_blank_durations: durations }, report) => {
      if (durations.some((d) => d < 2))
        report('big_blank_durations', 'expected durations of 2 frames or more');
    },
  },
);

const tdtKwargs = defineSchema(
  'tdt loss options',
  {
    ...commonOptions,
    durations: {
      doc: 'Frames that a token or blank may last, ascending: [0, 1, 2, 3, 4], or with gaps; joint.num_extra_outputs is their number.',
      format: listOf('nat', { min: 1 }),
    },
    sigma,
    omega: {
      doc: 'Share of the batches that are trained with the plain loss of the tokens.',
      format: 'number',
      min: 0,
      max: 1,
      default: 0,
    },
  },
  {
    refine: ({ durations }, report) => {
      const ascending = durations.every((d, i) => i === 0 || d > durations[i - 1]);
      if (durations.at(-1) === 0 || !ascending) {
        report('durations', `expected frames in ascending order, one above 0, got [${durations.join(', ')}]`);
      }
    },
  },
);

const forName = (name: string) => `Options of ${name}.`;

const rnntLossFields = {
  loss_name: {
    doc: 'The first four are the same loss here; the name also says which options are read.',
    format: [
      'default',
      'warprnnt',
      'warprnnt_numba',
      'pytorch',
      'multiblank_rnnt',
      'multiblank_rnnt_pytorch',
      'tdt',
      'tdt_pytorch',
    ],
    default: 'default',
  },
  implementation: {
    doc: 'Where the RNN-T lattice is computed: inside the program, or on the host, cutting it in two.',
    format: ['scan', 'host'],
    default: 'scan',
  },
  warprnnt_numba_kwargs: { doc: forName('default and warprnnt_numba'), format: kwargs, default: {} },
  warprnnt_kwargs: { doc: forName('warprnnt'), format: kwargs, default: {} },
  pytorch_kwargs: { doc: forName('pytorch'), format: kwargs, default: {} },
  multiblank_rnnt_kwargs: { doc: forName('multiblank_rnnt'), format: multiBlankKwargs, optional: true },
  multiblank_rnnt_pytorch_kwargs: {
    doc: forName('multiblank_rnnt_pytorch'),
    format: multiBlankKwargs,
    optional: true,
  },
  tdt_kwargs: { doc: forName('tdt'), format: tdtKwargs, optional: true },
  tdt_pytorch_kwargs: { doc: forName('tdt_pytorch'), format: tdtKwargs, optional: true },
} as const;

/** Keys of `model.loss` that say how the loss named there is computed. */
interface NamedLoss {
  readonly loss_name: string;
}

function requireOptions<C extends NamedLoss>(
  config: C,
  report: (key: string, message: string) => void,
): void {
  if (!/tdt|multiblank/.test(config.loss_name)) return;
  const key = `${config.loss_name}_kwargs` as keyof C;
  if (!config[key]) report('loss_name', `${config.loss_name} needs the section ${String(key)}`);
}

export const rnntLossSchema = defineSchema('loss', rnntLossFields, {
  doc: 'The transducer loss.',
  refine: requireOptions,
});

const reduction = {
  doc: 'From costs of utterances to the loss. Default: that of the model.',
  format: ['mean_batch', 'mean', 'mean_volume', 'sum'],
  default: 'mean_batch',
} as const;

const sizes = { num_classes: { instead: 'the joint knows its sizes', harmless: [null, -1] } };

const rnntLossComponentSchema = defineSchema(
  'RNNTLoss',
  { ...rnntLossFields, reduction },
  { doc: 'The loss of transducers: RNN-T, multi-blank, TDT.', ignored: sizes, refine: requireOptions },
);

const ctcLossSchema = defineSchema(
  'CTCLoss',
  {
    reduction,
    implementation: {
      doc: 'Where the lattice is computed: inside the program, or on the host, cutting it in two.',
      format: ['scan', 'host'],
      default: 'scan',
    },
    zero_infinity: {
      doc: 'Utterances whose tokens do not fit their frames cost 0 instead of infinity.',
      format: 'boolean',
      default: true,
    },
  },
  { doc: 'Connectionist temporal classification (Graves et al. 2006).', ignored: sizes },
);

/** The losses of speech models: NeMo's CTC and transducer losses. */
export const lossComponents = [
  component({
    kind: frameLossKind,
    name: 'CTCLoss',
    aliases: ['nemo.collections.asr.losses.CTCLoss', 'nemo.collections.asr.losses.ctc.CTCLoss'],
    schema: ctcLossSchema,
    create: ({ reduction, implementation, zero_infinity: zeroInfinity }) =>
      new CTCLoss({ reduction, implementation, zeroInfinity }),
  }),
  component({
    kind: transducerLossKind,
    name: 'RNNTLoss',
    aliases: ['nemo.collections.asr.losses.RNNTLoss', 'nemo.collections.asr.losses.rnnt.RNNTLoss'],
    schema: rnntLossComponentSchema,
    create: ({ reduction, ...config }) => new RNNTLoss(rnntLossConfig(config), reduction),
  }),
];

/** @param config checked; null where a model has no such section */
export function rnntLossConfig(config: InferConfig<typeof rnntLossSchema> | null): RnntLossConfig {
  const defaults: RnntLossConfig = {
    variant: config ? plainRnnt : undefined,
    fastEmit: 0,
    clamp: -1,
    sigma: 0,
    omega: 0,
    implementation: 'scan',
  };
  if (!config) return defaults;
  const { loss_name: name, implementation } = config;
  const shared = (options: { fastemit_lambda: number; clamp: number }) => ({
    ...defaults,
    implementation,
    fastEmit: options.fastemit_lambda,
    clamp: options.clamp,
  });
  switch (name) {
    case 'multiblank_rnnt':
    case 'multiblank_rnnt_pytorch': {
      const options = config[`${name}_kwargs`]!;
      const variant = { kind: 'multiblank', durations: options.big_blank_durations } as const;
      return { ...shared(options), variant, sigma: options.sigma };
    }
    case 'tdt':
    case 'tdt_pytorch': {
      const options = config[`${name}_kwargs`]!;
      const variant = { kind: 'tdt', durations: options.durations } as const;
      return { ...shared(options), variant, sigma: options.sigma, omega: options.omega };
    }
    case 'warprnnt':
    case 'pytorch':
      return shared(config[`${name}_kwargs`]);
    default:
      return shared(config.warprnnt_numba_kwargs);
  }
}
