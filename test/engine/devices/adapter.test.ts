// Which of the devices that Vulkan finds is named, and what is said where there is none.
import { expect, it } from 'vitest';
import type { VulkanDevice } from '../../../src/engine/native/vulkan.js';
import { adapterOf } from '../../../src/engine/onnx/adapter.js';

const device = (name: string, kind: VulkanDevice['kind']): VulkanDevice => ({
  name,
  kind,
  largestBinding: 2 ** 27,
  largestAllocation: 2 ** 30,
});

it('is the one that ONNX Runtime prefers', () => {
  const found = [device('llvmpipe', 'software'), device('Arc', 'integrated'), device('RTX', 'discrete')];
  expect(adapterOf('webgpu', () => found)).toEqual({
    name: 'RTX',
    isSoftware: false,
    largestTensor: 2 ** 30,
  });
  expect(adapterOf('webgpu', () => found.slice(0, 1))).toMatchObject({ name: 'llvmpipe', isSoftware: true });
});

it('is not asked for other providers, and not known where Vulkan cannot be asked', () => {
  expect(adapterOf('cpu', () => [])).toBeUndefined();
  expect(adapterOf('webgpu', () => undefined)).toBeUndefined();
});

it('is missed before anything is compiled', () => {
  expect(() => adapterOf('webgpu', () => [])).toThrow(
    expect.objectContaining({ code: 'engine.provider-unavailable' }),
  );
});
