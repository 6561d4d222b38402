// MKL, the library behind PyTorch's products, takes a slow path on CPUs that are not Intel's. Preloading two functions that it
// asks makes it take that of AVX-512: the fair peer of users with Intel CPUs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOURCE =
  'int mkl_serv_intel_cpu_true(void) { return 1; }\nint mkl_serv_intel_cpu(void) { return 1; }\n';

/** The environment of a process whose MKL believes to be on an Intel CPU; undefined without a C compiler. */
export function mklAsOnIntel(): { readonly env: NodeJS.ProcessEnv; readonly remove: () => void } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'mkl-'));
  const library = join(folder, 'mkl-as-on-intel.so');
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  writeFileSync(join(folder, 'mkl.c'), SOURCE);
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, join(folder, 'mkl.c')], { stdio: 'ignore' });
  } catch {
    remove();
    return undefined;
  }
  return { env: { LD_PRELOAD: library }, remove };
}
