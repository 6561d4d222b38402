// The operators of native/, for tests that need them.
import { existsSync } from 'node:fs';
import { skipUnless } from '../skipping.js';

const isBuilt = existsSync(new URL('../../native/build/linux-x64/libanemone.so', import.meta.url));

/** Skips the tests of the surrounding `describe` where the library of operators is not there. */
export function skipUnlessBuilt(): void {
  skipUnless(isBuilt, 'native/build is not there: bash scripts/native.sh');
}

/** The same, and where Gemm16 is left out of it. */
export function skipUnlessGemm16(): void {
  skipUnlessBuilt();
  skipUnless(process.env['ANEMONE_GEMM16'] !== 'off', 'Gemm16 is switched off');
}
