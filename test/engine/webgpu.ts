// Finds a Vulkan driver for tests of the webgpu provider: the machine's own, else SwiftShader, the software
// device that Debian's `chromium` package brings. Call before onnxruntime-node is loaded: it reads the
// environment once.
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';

export const SWIFTSHADER = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib64/chromium/vk_swiftshader_icd.json',
];
const LOADERS = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/usr/lib/aarch64-linux-gnu/libvulkan.so.1'];
const INSTALLED = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

/** Sets the environment up and returns whether the webgpu provider computes on this machine. */
export async function webgpuWorks(): Promise<boolean> {
  if (process.platform === 'linux' && !prepareVulkan()) return false;
  const { float32, OnnxEngine, tf } = await import('../../src/engine/index.js');
  const engine = new OnnxEngine({ provider: 'webgpu', onPlacement: () => {} });
  try {
    const program = engine.compile('probe', ({ x }) => ({ y: tf.mul(x, 2) }));
    const { y } = await program.run({ x: float32([1, 2], [2]) });
    return y.data[1] === 4;
  } catch {
    return false;
  } finally {
    await engine.dispose();
  }
}

function prepareVulkan(): boolean {
  process.env['XDG_RUNTIME_DIR'] ??= tmpdir();
  if (process.env['VK_DRIVER_FILES']) return true;
  const swiftshader = SWIFTSHADER.find((file) => existsSync(file));
  if (swiftshader && LOADERS.some((file) => existsSync(file))) {
    process.env['VK_DRIVER_FILES'] = swiftshader;
    return true;
  }
  return INSTALLED.some((folder) => existsSync(folder) && readdirSync(folder).length > 0);
}
