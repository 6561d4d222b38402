// A user's ES module: the main face, every subpath, a program on the default engine.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import {
  AnemoneError,
  createDefaultContainer,
  createEngine,
  EncDecRNNTBPEModel,
  loadConfig,
  Trainer,
} from 'anemone-ml';
import { float32, tf } from 'anemone-ml/engine';

for (const value of [createDefaultContainer, EncDecRNNTBPEModel, loadConfig, Trainer]) {
  assert.equal(typeof value, 'function');
}

const exported = Object.keys(createRequire(import.meta.url)('anemone-ml/package.json').exports);
for (const subpath of exported.filter((path) => !path.endsWith('.json'))) {
  const face = await import(`anemone-ml${subpath.slice(1)}`);
  assert.ok(Object.keys(face).length > 0, `${subpath} exports nothing`);
}
await assert.rejects(import('anemone-ml/dist/engine/scope.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });

const engine = createEngine({ threads: 1 });
const program = engine.compile('double', ({ x }) => ({ y: tf.mul(x, 2) }));
const { y } = await program.run({ x: float32([1, 2], [2]) });
assert.deepEqual([...y.data], [2, 4]);
await engine.dispose();

assert.throws(() => createEngine({ name: 'onnx' }), AnemoneError);
console.log(`ES module: ${exported.length - 1} faces`);
