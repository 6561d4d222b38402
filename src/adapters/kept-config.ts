// An adapter's config as it is kept: complete enough for NeMo, and under the names by which Python finds the classes.
import type { ComponentDescriptor } from '../container/index.js';
import { asText } from '../errors/index.js';

type Section = Readonly<Record<string, unknown>>;

const STRATEGIES: Readonly<Record<string, string>> = {
  ResidualAddAdapterStrategy: 'nemo.core.classes.mixins.adapter_mixin_strategies.ResidualAddAdapterStrategy',
  MHAResidualAddAdapterStrategy:
    'nemo.collections.asr.parts.submodules.adapters.multi_head_attention_adapter_module.MHAResidualAddAdapterStrategy',
};

/** The key of an adapter's config that says how wide what it adapts is. */
export function widthKey({ schema }: ComponentDescriptor): string | undefined {
  return ['in_features', 'n_feat'].find((field) => field in schema.fields);
}

/** @param width of the module that took the adapter; its own where there are several, of the last one */
export function keptConfig(writtenSection: Section, descriptor: ComponentDescriptor, width: number): Section {
  const { adapter_strategy: strategy, ...rest } = writtenSection;
  const key = widthKey(descriptor);
  // NeMo's attention adapters have no default for `dropout_rate`, so it is always written.
  const rate = 'dropout_rate' in descriptor.schema.fields ? { dropout_rate: 0 } : {};
  return {
    ...rate,
    ...rest,
    _target_: descriptor.aliases.find((alias) => alias.startsWith('nemo.')) ?? rest['_target_'],
    ...(key !== undefined && { [key]: width }),
    ...(typeof strategy === 'object' &&
      strategy !== null && { adapter_strategy: named(strategy as Section, 'dropout_rate' in rate) }),
  };
}

function named({ _target_: writtenTarget, ...values }: Section, attention: boolean): Section {
  const usual = attention ? 'MHAResidualAddAdapterStrategy' : 'ResidualAddAdapterStrategy';
  const last = asText(writtenTarget ?? usual)
    .split('.')
    .at(-1) as string;
  return { _target_: STRATEGIES[last] ?? writtenTarget, ...values };
}
