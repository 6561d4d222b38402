// The conformance suite on the webgpu provider, on whatever Vulkan device the machine has (SwiftShader will
// do); skipped where there is none. Also: which nodes that provider leaves to the CPU.
import { afterAll, describe, expect, it } from 'vitest';
import { webgpuWorks } from '../webgpu.js';
import { cases } from './cases.js';
import { expectClose, inputValues, runCase } from './run.js';

const works = await webgpuWorks();
const { createReferenceEngine, mergePlacement, OnnxEngine } = await engineModules();

async function engineModules() {
  const engine = await import('../../../src/engine/index.js');
  const { mergePlacement } = await import('../../../src/engine/onnx/placement.js');
  return { ...engine, mergePlacement };
}

describe.skipIf(!works)('onnxruntime on webgpu against reference', () => {
  const placement = {};
  const reference = createReferenceEngine();
  const engine = works
    ? new OnnxEngine({ provider: 'webgpu', onPlacement: (_, more) => mergePlacement(placement, more) })
    : reference;
  afterAll(() => engine.dispose());

  for (const item of cases) {
    it(item.name, async () => {
      const expected = await runCase(reference, item, inputValues(item));
      const actual = await runCase(engine, item, inputValues(item));
      expectClose(actual.value, expected.value, 2e-5);
      actual.gradients.forEach((g, k) => {
        expectClose(g, expected.gradients[k], 5e-5);
      });
    });
  }

  it('reports which nodes ran on the CPU', () => {
    console.log(JSON.stringify(placement));
    expect(Object.keys(placement).sort()).toEqual(['cpu', 'webgpu']);
  });
});
