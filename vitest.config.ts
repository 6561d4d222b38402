import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Tests that leave nothing behind in modules: the files of a worker share them, which halves their time. */
const pure = 'adapters asr audio config container data formats lm model nn optim text transformer'
  .split(' ')
  .map((folder) => `test/${folder}/**/*.test.ts`);

export default defineConfig({
  test: {
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: Math.max(2, availableParallelism()),
    reporters: ['default', './test/skip-reporter.ts'],
    projects: [
      { extends: true, test: { name: 'pure', include: pure, isolate: false } },
      { extends: true, test: { name: 'all', include: ['test/**/*.test.ts'], exclude: pure } },
    ],
  },
});
