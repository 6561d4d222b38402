// The `loss` section of transducer models: NeMo's names.
import { defineSchema, type InferConfig } from '../../config/index.js';
import type { LatticeImplementation } from './transducer-lattice.js';

const kwargs = defineSchema('rnnt loss options', {
  fastemit_lambda: {
    doc: 'Weight of FastEmit, which favours early tokens (Yu et al. 2021).',
    format: 'number',
    min: 0,
    default: 0,
  },
  clamp: { doc: 'Clips the gradients of the logits to ±clamp; off when ≤ 0.', format: 'number', default: -1 },
});

export const rnntLossSchema = defineSchema(
  'loss',
  {
    loss_name: {
      doc: 'All are the same loss here; the name says which options are read.',
      format: ['default', 'warprnnt', 'warprnnt_numba', 'pytorch'],
      default: 'default',
    },
    implementation: {
      doc: 'Where the lattice is computed: inside the program, or on the host, cutting it in two.',
      format: ['scan', 'host'],
      default: 'scan',
    },
    warprnnt_numba_kwargs: { doc: 'Options of default and warprnnt_numba.', format: kwargs, default: {} },
    warprnnt_kwargs: { doc: 'Options of warprnnt.', format: kwargs, default: {} },
    pytorch_kwargs: { doc: 'Options of pytorch.', format: kwargs, default: {} },
  },
  { doc: 'The transducer loss.' },
);

export interface RnntLossSettings {
  readonly fastEmit: number;
  readonly clamp: number;
  readonly implementation: LatticeImplementation;
}

export function rnntLossSettings(config: InferConfig<typeof rnntLossSchema> | null): RnntLossSettings {
  const defaults: RnntLossSettings = { fastEmit: 0, clamp: -1, implementation: 'scan' };
  if (!config) return defaults;
  const byName = {
    default: config.warprnnt_numba_kwargs,
    warprnnt_numba: config.warprnnt_numba_kwargs,
    warprnnt: config.warprnnt_kwargs,
    pytorch: config.pytorch_kwargs,
  };
  const options = byName[config.loss_name];
  return {
    fastEmit: options.fastemit_lambda ?? 0,
    clamp: options.clamp ?? -1,
    implementation: config.implementation,
  };
}
