// Engines as components: `trainer.engine: {name: onnxruntime, threads: 4}`, or one of the user's by `_target_`.
import { defineSchema } from '../config/index.js';
import { type ComponentDescriptor, component, defineKind } from '../container/index.js';
import { type CreateEngineOptions, createEngine } from './create-engine.js';
import type { Engine } from './engine.js';

/** Engines as a kind of component: what `trainer.engine` may name. */
export const engineKind = defineKind<Engine>('engine', 'an engine');

const threads = {
  doc: 'Threads inside an operator. Default: the machine’s cores.',
  format: 'int',
  min: 1,
  optional: true,
} as const;

/** The engines of this library. */
export const engineComponents: readonly ComponentDescriptor[] = [
  component({
    kind: engineKind,
    name: 'onnxruntime',
    schema: defineSchema(
      'onnxruntime',
      {
        provider: {
          doc: 'Execution provider: cpu, cuda, webgpu, dml, coreml.',
          format: 'string',
          default: 'cpu',
        },
        threads,
        optimization: {
          doc: 'How far ONNX Runtime rewrites graphs.',
          format: ['disabled', 'basic', 'extended', 'all'],
          optional: true,
        },
        arena: {
          doc: 'ONNX Runtime’s own memory pool, one for each compiled signature.',
          format: 'boolean',
          default: false,
        },
        plannedMemory: {
          doc: 'Where values lie in memory is decided before a program runs, which halves what it takes.',
          format: 'boolean',
          default: true,
        },
        profile: {
          doc: 'Beginning of the names of files for its profile.',
          format: 'string',
          optional: true,
        },
      },
      { doc: 'Compiles programs to ONNX graphs.' },
    ),
    create: (config) => createEngine({ name: 'onnxruntime', ...config } as CreateEngineOptions),
  }),
  component({
    kind: engineKind,
    name: 'tensorflow',
    schema: defineSchema(
      'tensorflow',
      {
        threads,
        module: { doc: 'Package or path of the tfjs-node to load.', format: 'string', optional: true },
      },
      { doc: 'Runs programs on TensorFlow by tfjs-node, which must be installed.' },
    ),
    create: (config) => createEngine({ name: 'tensorflow', ...config } as CreateEngineOptions),
  }),
  component({
    kind: engineKind,
    name: 'reference',
    schema: defineSchema('reference', {}, { doc: 'Runs programs in plain JavaScript: slow, for tests.' }),
    create: () => createEngine({ name: 'reference' }),
  }),
];
