// The place in a network where adapters stand, NeMo's `adapter_layer`: any number of them by name, each enabled or
// not. Modules that can be adapted have one; empty, it changes nothing.
import type { Tensor } from '../engine/index.js';
import { AnemoneError } from '../errors/index.js';
import { type AttentionMask, Module, type Pass } from '../nn/index.js';
import { type Adapter, FeatureAdapter } from './adapter.js';
import { AttentionAdapter, type AttentionPositions } from './attention-adapter.js';
import type { AdapterPlace } from './linear-place.js';

export interface AdapterSlotOptions {
  /** Width d of what passes through. */
  readonly width: number;
  /** Of the attention that attention adapters may follow; without it there is none. */
  readonly attention?: AttentionPositions | undefined;
}

/**
 * The place in a network where adapters stand, NeMo's `adapter_layer`: any number of them by name, each enabled or
 * not. Modules that can be adapted have one; empty, it changes nothing.
 */
export class AdapterSlot extends Module implements AdapterPlace {
  private readonly adapters = new Map<string, { readonly adapter: Adapter; enabled: boolean }>();

  constructor(readonly options: AdapterSlotOptions) {
    super();
  }

  /**
   * Puts an adapter behind those that are there.
   * @throws AnemoneError `adapter.unsupported` for a kind that has no place here
   */
  add(name: string, adapter: Adapter): void {
    if (adapter instanceof AttentionAdapter && adapter.positions !== this.options.attention) {
      const { attention } = this.options;
      throw new AnemoneError({
        code: 'adapter.unsupported',
        path: `adapters.${name}`,
        message: attention
          ? `the attention of this encoder has ${attention === 'rel_pos' ? 'relative' : 'absolute'} positions, that of the adapter does not`
          : 'attention adapters need an encoder whose attention is rel_pos or abs_pos',
        hint: attention
          ? `use ${attention === 'rel_pos' ? 'RelPositionMultiHeadAttentionAdapter' : 'MultiHeadAttentionAdapter'}`
          : 'use LinearAdapter',
      });
    }
    if (!(adapter instanceof FeatureAdapter) && !(adapter instanceof AttentionAdapter)) {
      throw new AnemoneError({
        code: 'adapter.unsupported',
        path: `adapters.${name}`,
        message: `${adapter.constructor.name} is no adapter that this place runs`,
        hint: 'an adapter of your own extends FeatureAdapter',
      });
    }
    this.adapters.set(name, { adapter: this.child(name, adapter), enabled: true });
  }

  /** The adapter of this name; undefined where the slot has none. */
  get(name: string): Adapter | undefined {
    return this.adapters.get(name)?.adapter;
  }

  /** Whether the adapter takes part in forward passes from now on. A name that the slot lacks is passed over. */
  enable(name: string, enabled: boolean): void {
    const entry = this.adapters.get(name);
    if (entry) entry.enabled = enabled;
  }

  /** Width d of what passes through. */
  get width(): number {
    return this.options.width;
  }

  /** Takes an adapter away for good. */
  remove(name: string): void {
    if (this.adapters.delete(name)) this.removeChild(name);
  }

  /** Whether an enabled adapter looks at more than one frame. */
  get attends(): boolean {
    return this.enabled().some((adapter) => adapter instanceof AttentionAdapter);
  }

  /** Whether an enabled adapter changes what passes through `forward`. */
  get active(): boolean {
    return this.enabled().some((adapter) => adapter instanceof FeatureAdapter);
  }

  /** What each enabled adapter makes of what the one before it gave. x [B,...,d] → same shape. */
  forward(x: Tensor, pass: Pass): Tensor {
    let y = x;
    for (const adapter of this.enabled()) if (adapter instanceof FeatureAdapter) y = adapter.forward(y, pass);
    return y;
  }

  /** The same for attention adapters, behind the attention of a layer. x [B,T,d] → [B,T,d]. */
  attend(x: Tensor, mask: AttentionMask, positions: Tensor | undefined, pass: Pass): Tensor {
    let y = x;
    for (const adapter of this.enabled()) {
      if (adapter instanceof AttentionAdapter) y = adapter.attend(y, mask, positions, pass);
    }
    return y;
  }

  private enabled(): Adapter[] {
    return [...this.adapters.values()].filter((entry) => entry.enabled).map((entry) => entry.adapter);
  }
}
