// Lists, after a run, every test that was skipped and why. A skip without a reason makes the run fail: nobody could
// say what would have to be there for the test to run.
import type { Reporter, TestModule } from 'vitest/node';

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const reasons = new Map<string, string[]>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const { note } = test.result() as { note?: string };
        // A filter by name skips what it leaves out.
        if (note === undefined && test.project.globalConfig.testNamePattern) continue;
        const reason = `${module.relativeModuleId}: ${note ?? 'NO REASON GIVEN (test/skipping.ts)'}`;
        reasons.set(reason, [...(reasons.get(reason) ?? []), test.fullName]);
        if (note === undefined) process.exitCode = 1;
      }
    }
    if (reasons.size > 0) process.stdout.write('\nSkipped:\n');
    for (const [reason, names] of reasons) {
      process.stdout.write(`${reason}\n${names.map((name) => `    ${name}\n`).join('')}`);
    }
  }
}
