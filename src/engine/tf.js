// tfjs-core, loaded when something of it is first asked for: a third of the memory that this library takes when it is
// imported, and nobody who only reads a config or a manifest computes. A namespace cannot be lazy in TypeScript, whose
// types of it stand in tf.d.ts.
import { createRequire } from 'node:module';

// Everything that requires or imports tfjs-core gets this one instance, tfjs-node too.
const load = () => createRequire(import.meta.url)('@tensorflow/tfjs-core');

// Asked only for what `tf` does not have itself: once loaded, an op costs no more than the look-up of a property.
const unloaded = new Proxy(Object.create(null), {
  get: (_, name) => fill()[name],
  has: (_, name) => name in fill(),
});

export const tf = Object.create(unloaded);

function fill() {
  const core = load();
  Object.defineProperties(tf, Object.getOwnPropertyDescriptors(core));
  Object.setPrototypeOf(tf, null);
  return core;
}
