// The conformance suite on the webgpu provider, on whatever Vulkan device the machine has (SwiftShader will
// do); skipped where there is none. Also: which nodes that provider leaves to the CPU.
import { afterAll, describe, expect, it } from 'vitest';
import type { Placement } from '../../../src/engine/index.js';
import { skipUnless } from '../../skipping.js';
import { webgpuWorks } from '../webgpu.js';
import { cases } from './cases.js';
import { expectClose, inputValues, runCase } from './run.js';

const works = await webgpuWorks();
const { createReferenceEngine, describeFallback, mergePlacement, OnnxEngine } = await engineModules();

async function engineModules() {
  const engine = await import('../../../src/engine/index.js');
  const { mergePlacement } = await import('../../../src/engine/onnx/placement.js');
  return { ...engine, mergePlacement };
}

/** WGSL allows sin and cos an absolute error of 2^-11; SwiftShader uses a fifth of it. */
const SINES = /^(sin|cos|two host calls)$/;
describe('onnxruntime on webgpu against reference', () => {
  skipUnless(works, 'no Vulkan driver answers (Debian: chromium and libvulkan1 bring one in software)');

  const placement: Placement = {};
  const reference = createReferenceEngine();
  const engine = works
    ? new OnnxEngine({ provider: 'webgpu', onPlacement: (_, more) => mergePlacement(placement, more) })
    : reference;
  afterAll(() => engine.dispose());

  for (const item of cases) {
    const tolerance = SINES.test(item.name) ? 5e-4 : 2e-5;
    it(item.name, async () => {
      const expected = await runCase(reference, item, inputValues(item));
      const actual = await runCase(engine, item, inputValues(item));
      expectClose(actual.value, expected.value, tolerance);
      actual.gradients.forEach((g, k) => {
        expectClose(g, expected.gradients[k], 2.5 * tolerance);
      });
    });
  }

  it('reports which nodes ran on the CPU', () => {
    expect(Object.keys(placement).sort()).toEqual(['cpu', 'webgpu']);
    // What ONNX Runtime 1.30 has no WebGPU kernel for and nothing else stands for: tests for what is no number, which WGSL
    // need not pass, casts of their results, and host calls.
    const { Cast: _, ...others } = placement['cpu'];
    expect(Object.keys(others).sort()).toEqual(['Call', 'IsInf', 'IsNaN']);
    expect(describeFallback(placement)).toMatch(/^\d+ of \d+ nodes ran on the CPU: .*IsNaN \d+/);
  });
});
