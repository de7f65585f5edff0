import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/**
 * Writes the counts of a run to the file named by FACTLINE_TALLY, for scripts/check.ts, which sums them over
 * several runs and prints the last line itself: vitest ends early when a global set-up throws. `again`: what passed at its second attempt.
 */
export default class Tally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0 };
    const again: string[] = [];
    for (const module of modules) {
      counts.failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed' && (test.diagnostic()?.retryCount ?? 0) > 0)
          again.push(`${module.relativeModuleId}: ${test.fullName}`);
        if (state === 'passed') counts.passed += 1;
        else if (state === 'failed') counts.failed += 1;
        else counts.skipped += 1;
      }
    }
    const file = process.env['FACTLINE_TALLY'];
    if (file) writeFileSync(file, JSON.stringify({ ...counts, again }));
  }
}
