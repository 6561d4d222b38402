// The conformance suite on the tensorflow engine; skipped unless a tfjs-node is installed (or named by path in
// ANEMONE_TFJS_NODE, for one built elsewhere; see docs/engines.md).
import { afterAll, describe, expect, it } from 'vitest';
import { createEngine, createReferenceEngine, type Engine } from '../../../src/engine/index.js';
import { skipUnless } from '../../skipping.js';
import { cases } from './cases.js';
import { expectClose, inputValues, runCase } from './run.js';

function tensorflow(): Engine | undefined {
  try {
    return createEngine({ name: 'tensorflow', module: process.env['ANEMONE_TFJS_NODE'] });
  } catch (error) {
    if ((error as { code?: string }).code === 'engine.tensorflow-missing') return undefined;
    throw error;
  }
}

const engine = tensorflow();
const reference = createReferenceEngine();
afterAll(() => engine?.dispose());

describe('tensorflow against reference', () => {
  skipUnless(
    engine !== undefined,
    'tfjs-node is not installed, which downloads from outside npm (docs/engines.md)',
  );

  for (const item of cases) {
    it(item.name, async () => {
      const expected = await runCase(reference, item, inputValues(item));
      const actual = await runCase(engine as Engine, item, inputValues(item));
      expectClose(actual.value, expected.value, 5e-6);
      actual.gradients.forEach((g, k) => {
        expectClose(g, expected.gradients[k], 1e-5);
      });
    });
  }
});

describe('without tfjs-node', () => {
  skipUnless(engine === undefined, 'tfjs-node is installed');

  it('says which package to install', () => {
    expect(() => createEngine({ name: 'tensorflow' })).toThrow(
      /tfjs-node-gpu or @tensorflow\/tfjs-node.*npm install/,
    );
  });
});
