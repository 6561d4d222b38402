// `trainer.precision`: the names that PyTorch Lightning has for it, and what each means here.
import type { Format } from '../config/index.js';
import { type Engine, type LowType, lowProductsOf, withProductsIn } from '../engine/index.js';
import { didYouMean } from '../errors/index.js';

/** A precision by Lightning's present name. */
export type Precision = '32-true' | '16-mixed' | 'bf16-mixed' | '16-true' | 'bf16-true';

/** All that Lightning calls them, in all its versions. */
const NAMES = {
  '32': '32-true',
  '32-true': '32-true',
  '16': '16-mixed',
  '16-mixed': '16-mixed',
  bf16: 'bf16-mixed',
  'bf16-mixed': 'bf16-mixed',
  '16-true': '16-true',
  'bf16-true': 'bf16-true',
} as const satisfies Readonly<Record<string, Precision>>;

/** Names of Lightning's that are known and cannot be honoured. */
const REFUSED: Readonly<Record<string, string>> = {
  '64': 'nothing is computed in 64 bits',
  '64-true': 'nothing is computed in 64 bits',
  'transformer-engine': "NVIDIA's Transformer Engine is a library for its own GPUs",
  'transformer-engine-float16': "NVIDIA's Transformer Engine is a library for its own GPUs",
};

const choices = Object.keys(NAMES).join(', ');

/** The format of `trainer.precision`. */
export const precisionFormat: Format<Precision, 32 | 16 | keyof typeof NAMES> = {
  expected: `one of ${choices}`,
  accepts: () => true,
  check: (value, at) => {
    const name = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
    if (Object.hasOwn(NAMES, name)) return NAMES[name as keyof typeof NAMES];
    const got = JSON.stringify(value);
    const reason = Object.hasOwn(REFUSED, name) ? `: ${REFUSED[name]}` : '';
    at.report({
      message: `expected one of ${choices}, got ${got}${reason}`,
      hint: reason ? 'use 32' : didYouMean(name, Object.keys(NAMES)),
    });
    return '32-true';
  },
  jsonSchema: () => ({ enum: [32, 16, ...Object.keys(NAMES)] }),
};

/** The type of products; undefined: float32. */
export function productTypeOf(precision: Precision): LowType | undefined {
  if (precision === '32-true') return undefined;
  return precision.startsWith('bf16') ? 'bfloat16' : 'float16';
}

/** The type that weights and moments are stored in; undefined: float32. */
export function storedTypeOf(precision: Precision): LowType | undefined {
  return precision.endsWith('-true') ? productTypeOf(precision) : undefined;
}

/** The engine that a run of this precision computes on. */
export function engineFor(precision: Precision, engine: Engine): Engine {
  const type = productTypeOf(precision);
  return type ? withProductsIn(engine, type) : engine;
}

/** What is said of a precision at the start of a run; undefined where there is nothing to say. */
export async function describePrecision(
  precision: Precision,
  engine: Engine,
  lossScale: string | undefined,
): Promise<string | undefined> {
  const type = productTypeOf(precision);
  if (!type) return undefined;
  const how = await lowProductsOf(engine, type);
  const scale = lossScale === undefined ? '' : `; loss scale ${lossScale}`;
  const stored = storedTypeOf(precision)
    ? `weights and moments are stored in ${type}, and steps smaller than its last digit are lost; all else is float32`
    : 'weights, moments and all else are float32';
  return `precision ${precision}: products and convolutions are ${how}; ${stored}${scale}`;
}
