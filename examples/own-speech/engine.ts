// An engine of your own, around one of the library: it says how often programs ran. `trainer.engine: {_target_: CountingEngine}`.
import { defineSchema } from '../../src/config/index.js';
import { component, LOG } from '../../src/container/index.js';
import { createEngine, type Engine, engineKind } from '../../src/engine/index.js';

function counting(inner: Engine, say: (line: string) => void): Engine {
  return {
    name: inner.name,
    stats: inner.stats,
    compile: (name, fn, options) => inner.compile(name, fn, options),
    read: (state) => inner.read(state),
    write: (state, value, given) => inner.write(state, value, given),
    release: (states) => inner.release(states),
    dispose: async () => {
      say(`the engine ran ${inner.stats.runs} programs`);
      await inner.dispose();
    },
  };
}

export const countingEngine = component({
  kind: engineKind,
  name: 'CountingEngine',
  schema: defineSchema('CountingEngine', {
    threads: { doc: 'Of ONNX Runtime.', format: 'int', min: 1, default: 1 },
  }),
  inject: { say: LOG },
  create: ({ threads }, { say }) => counting(createEngine({ name: 'onnxruntime', threads }), say),
});
