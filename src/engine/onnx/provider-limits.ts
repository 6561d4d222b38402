// What the kernels of a provider cannot do, or do wrongly, and a trace for it works around. Found by comparing each
// operator with the reference over many shapes, in ONNX Runtime 1.30.
import type { LowProducts } from './passes/autocast.js';

export interface ProviderLimits {
  /** Only operators of the ONNX standard: those of ONNX Runtime's own have no kernels there. */
  readonly standardOperators: boolean;
  /** Operators that are right only where their operands have one shape, or are numbers. */
  readonly equalShapes: ReadonlySet<string>;
  /** Most outputs of one node. */
  readonly mostOutputs: number;
  /** Operators that have kernels beside those of tfjs's ops; the others are traced as what they stand for. */
  readonly nativeOperators: ReadonlySet<string> | 'all';
  /** ConvTranspose is right only where a group has one output channel for each of its inputs. */
  readonly plainGroups: boolean;
  /** How products in 16 bits are computed. */
  readonly lowProducts: LowProducts;
  /** Whether there is the operator Pointwise of native/. */
  readonly pointwise: boolean;
  /** Whether there are its convolutions, whose channels are last: all of them, or those that need not write over their input. */
  readonly convolutions: 'all' | 'apart' | 'none';
  /** Loops of up to so many nodes, all iterations together, are written out. 0: none. */
  readonly unrolledNodes: number;
  /** Kernels are missing for what `passes/around-gaps.ts` puts other nodes in place of. */
  readonly gaps: boolean;
}

export const NO_LIMITS: ProviderLimits = {
  standardOperators: false,
  equalShapes: new Set(),
  mostOutputs: Number.POSITIVE_INFINITY,
  nativeOperators: 'all',
  plainGroups: false,
  lowProducts: 'rehearsed',
  pointwise: false,
  convolutions: 'none',
  unrolledNodes: 0,
  gaps: false,
};

/** A file for others has operators of the standard only. */
export const STANDARD_ONLY: ProviderLimits = {
  ...NO_LIMITS,
  standardOperators: true,
  nativeOperators: new Set(['Gemm']),
};

const WEBGPU: ProviderLimits = {
  ...STANDARD_ONLY,
  // And: a shader made for operands of one pattern is used again for others whose last axes differ in being divisible
  // by 4, and returns wrong values. Pow fails where the exponent is broadcast over such an axis.
  equalShapes: new Set(['And', 'Pow']),
  // Each output is a storage buffer, as is the input; every device has at least 8 of them in a shader.
  mostOutputs: 7,
  plainGroups: true,
  lowProducts: 'native',
  // There are no loops: the CPU leads them. What is longer runs on the CPU whole.
  unrolledNodes: 12_000,
  gaps: true,
};

const BY_PROVIDER: Readonly<Record<string, ProviderLimits>> = {
  cpu: NO_LIMITS,
  cuda: { ...NO_LIMITS, lowProducts: 'native' },
  webgpu: WEBGPU,
};

/** Whether a provider has a kernel for an operator of the runtime. */
export function hasNative({ nativeOperators }: ProviderLimits, op: string): boolean {
  return nativeOperators === 'all' || nativeOperators.has(op);
}

export function limitsOf(provider: string): ProviderLimits {
  return BY_PROVIDER[provider] ?? STANDARD_ONLY;
}
