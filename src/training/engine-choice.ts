// The engine that `trainer.engine` names.
import { createReferenceEngine, createTensorFlowEngine, type Engine, OnnxEngine } from '../engine/index.js';
import { AnemoneError, didYouMean } from '../errors/index.js';

type Section = Readonly<Record<string, unknown>>;

const OPTION_TYPES: Readonly<Record<string, string>> = {
  provider: 'string',
  threads: 'number',
  optimization: 'string',
  arena: 'boolean',
  profile: 'string',
};

/** @throws AnemoneError `engine.unknown`, `config.unknown-key`, `config.wrong-type` */
export function createEngine(config: Section): Engine {
  const { name = 'onnxruntime', ...options } = config;
  if (name === 'reference') {
    checkOptions(options, {});
    return createReferenceEngine();
  }
  if (name === 'onnxruntime') {
    checkOptions(options, OPTION_TYPES);
    return new OnnxEngine(options);
  }
  if (name === 'tensorflow') {
    checkOptions(options, { threads: 'number', module: 'string' });
    return createTensorFlowEngine(options);
  }
  const known = ['onnxruntime', 'tensorflow', 'reference'];
  throw new AnemoneError({
    code: 'engine.unknown',
    path: 'trainer.engine.name',
    message: `there is no engine ${JSON.stringify(name)}`,
    hint: didYouMean(String(name), known) ?? `known: ${known.join(', ')}`,
  });
}

function checkOptions(options: Section, types: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(options)) {
    const path = `trainer.engine.${key}`;
    const hint = didYouMean(key, Object.keys(types)) ?? `known: ${Object.keys(types).join(', ') || 'none'}`;
    if (!Object.hasOwn(types, key)) {
      throw new AnemoneError({ code: 'config.unknown-key', path, message: 'unknown key', hint });
    }
    if (typeof value !== types[key]) {
      throw new AnemoneError({
        code: 'config.wrong-type',
        path,
        message: `expected a ${types[key]}, got ${JSON.stringify(value)}`,
      });
    }
  }
}
