// A library of operators that is not the one this code was written for: an older package of the platform, or none of ours.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { float32, inLowPrecision, OnnxEngine, tf } from '../../src/engine/index.js';
import { hasGemm16, hasPointwise } from '../../src/engine/onnx/open-session.js';
import { skipUnless } from '../skipping.js';

const folder = mkdtempSync(join(tmpdir(), 'anemone-native-'));
const library = join(folder, 'other.so');
const isMade = make();
process.env['ANEMONE_GEMM16'] = library;
afterAll(() => rmSync(folder, { recursive: true }));

/** As older libraries were: it has the operators and does not say of which interface. */
function make(): boolean {
  const source =
    'int anemone_gemm16_is_fast(void) { return 1; }\nvoid *anemone_gemm16_operator(void *a, int b) { return 0; }\n';
  writeFileSync(join(folder, 'other.c'), source);
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-w', '-o', library, join(folder, 'other.c')], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

describe('a library of another interface', () => {
  skipUnless(isMade, 'gcc is not installed');

  it('is left alone: operations are nodes, and products are rehearsed', async () => {
    expect([hasGemm16('cpu'), hasPointwise('cpu')]).toEqual([false, false]);
    const engine = new OnnxEngine({ threads: 1 });
    const program = engine.compile('chain', ({ x }) => ({
      y: inLowPrecision('bfloat16', () => tf.matMul(tf.add(tf.mul(x, 2), 1), x)),
    }));
    const { y } = await program.run({ x: float32([1, 0, 0, 1], [2, 2]) });
    expect([...y.data]).toEqual([3, 1, 1, 3]);
    await engine.dispose();
  });
});
