// Engines by name, as a configuration asks for them. Which engine is a deployment question: model code never
// sees more than the Engine interface.
import { requireMapping } from '../config/index.js';
import { AnemoneError, didYouMean } from '../errors/index.js';
import { createReferenceEngine } from './eager/reference.js';
import { createTensorFlowEngine } from './eager/tensorflow.js';
import type { Engine } from './engine.js';
import { OnnxEngine, type OnnxEngineOptions } from './onnx/onnx-engine.js';

/** The names that `trainer.engine` may have. */
export const ENGINES = ['onnxruntime', 'tensorflow', 'reference'] as const;
/** One of {@link ENGINES}. */
export type EngineName = (typeof ENGINES)[number];

/** Which engine is made, and how; what an engine does not know it passes over. */
export interface CreateEngineOptions extends OnnxEngineOptions {
  /** Default `onnxruntime`. `tensorflow` needs tfjs-node installed; `reference` is slow and meant for tests. */
  readonly name?: EngineName | (string & {}) | undefined;
  /** For `tensorflow` only: package name or path of the tfjs-node to load. */
  readonly module?: string | undefined;
}

/** Options by engine; one that the chosen engine does not have is an error rather than ignored. */
const OPTIONS: Readonly<Record<EngineName, readonly string[]>> = {
  onnxruntime: ['provider', 'threads', 'optimization', 'arena', 'plannedMemory', 'profile', 'onPlacement'],
  tensorflow: ['threads', 'module'],
  reference: ['threads'],
};

/**
 * Makes the engine `options.name`.
 *
 * Throws `engine.unknown-engine`, `engine.unknown-provider`, `engine.option`, `engine.provider-unavailable`
 * (the library lacks the provider), `engine.tensorflow-missing`. A provider whose library is there but whose
 * device is not shows when the first program is compiled.
 */
export function createEngine(options: CreateEngineOptions = {}): Engine {
  requireMapping(options, 'engine');
  const [problem] = engineProblems(options);
  if (problem) throw problem;
  const { name = 'onnxruntime', ...rest } = options;
  if (name === 'tensorflow') return createTensorFlowEngine({ module: rest.module, threads: rest.threads });
  if (name === 'reference') return createReferenceEngine();
  return new OnnxEngine(rest);
}

/** More than any machine has; each is made at once. */
const MAX_THREADS = 4096;

/** Everything that is wrong with an engine's options and can be known without making it; paths are keys. */
export function engineProblems(options: CreateEngineOptions): readonly AnemoneError[] {
  const { name = 'onnxruntime', threads, ...rest } = options;
  const engine = ENGINES.find((engineName) => engineName === name);
  if (!engine) return [unknownEngine(name)];
  const problems = Object.entries(rest)
    .filter(([key, value]) => value !== undefined && !OPTIONS[engine].includes(key))
    .map(([key]) => unknownOption(engine, key));
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
    problems.push(
      new AnemoneError({
        code: 'engine.option',
        path: 'threads',
        message: `expected a whole number from 1 to ${MAX_THREADS}, got ${threads}`,
      }),
    );
  }
  return problems;
}

function unknownEngine(name: unknown): AnemoneError {
  return new AnemoneError({
    code: 'engine.unknown-engine',
    path: 'name',
    message: `${JSON.stringify(name)} is not an engine; known: ${ENGINES.join(', ')}`,
    hint: typeof name === 'string' ? didYouMean(name, ENGINES) : undefined,
  });
}

function unknownOption(engine: EngineName, key: string): AnemoneError {
  const owner = ENGINES.find((engineName) => OPTIONS[engineName].includes(key));
  return new AnemoneError({
    code: 'engine.option',
    path: key,
    message: `engine ${engine} has no option "${key}"`,
    hint: owner
      ? `"${key}" belongs to engine ${owner}`
      : (didYouMean(key, OPTIONS[engine]) ?? `its options: ${OPTIONS[engine].join(', ')}`),
  });
}
