/**
 * Writes down what a Jest run found, in the file named by TEST_FINDINGS: per test file how many tests passed, failed and were not
 * run, and which failed. A run of everything is several Jest runs, and `run.mjs` makes one sum of them. A file that could not even
 * be loaded counts as one failure.
 */
import { writeFileSync } from 'node:fs';

export default class Tally {
  onRunComplete(_contexts, results) {
    const file = process.env.TEST_FINDINGS;
    if (!file) return;
    const findings = results.testResults.map((result) => ({
      path: result.testFilePath,
      passed: result.numPassingTests,
      failed: result.numFailingTests + (result.testExecError ? 1 : 0),
      pending: result.numPendingTests,
      failures: result.testResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
    }));
    writeFileSync(file, JSON.stringify(findings));
  }
}
