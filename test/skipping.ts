// Skips tests with a reason, which test/skip-reporter.ts lists. (vitest's skipIf keeps none.)
import { beforeEach } from 'vitest';

/** Skips the tests of the surrounding `describe` unless `holds`. */
export function skipUnless(holds: boolean, reason: string): void {
  beforeEach(({ skip }) => skip(!holds, reason));
}
