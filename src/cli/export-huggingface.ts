// `anemone export --for huggingface`: a language model as the folder that transformers loads.
import type { ExportType } from '../lm/index.js';
import { tell } from './print.js';

interface Options {
  readonly weights: string;
  readonly merge?: boolean;
  readonly adapter?: string;
  readonly dtype?: string;
  /** Gigabytes. */
  readonly shardSize?: number;
  readonly import: readonly string[];
}

const TYPES: Readonly<Record<string, ExportType>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' };

/** @throws AnemoneError `cli.option`, and what opening and writing throw */
export async function exportToHuggingFace(path: string, folder: string, options: Options): Promise<void> {
  const { AnemoneError, printable } = await import('../errors/index.js');
  const { writeHuggingFace } = await import('../lm/index.js');
  const { openLanguageModel } = await import('./language-model.js');
  const { dtype, shardSize, weights, import: modules } = options;
  if (dtype !== undefined && !Object.hasOwn(TYPES, dtype))
    throw new AnemoneError({
      code: 'cli.option',
      path: '--dtype',
      message: `expected ${Object.keys(TYPES).join(', ')}`,
    });
  const model = await openLanguageModel(path, {
    overrides: [],
    weights,
    modules,
    adapter: options.adapter,
    merges: options.merge ?? false,
  });
  try {
    const files = await writeHuggingFace(folder, model.exported, model.engine, {
      type: dtype === undefined ? model.storedAs : TYPES[dtype],
      ...(shardSize !== undefined && { shardBytes: shardSize * 1e9 }),
    });
    tell(`${printable(folder)} is of the model of ${printable(path)}: ${files.join(', ')}\n`);
    if (!files.some((name) => name.startsWith('tokenizer')))
      tell('it has no tokenizer, since transformers has none that cuts texts as this one does\n');
  } finally {
    await model.trainer.dispose();
  }
}
