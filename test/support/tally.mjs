/**
 * Adds one line with this run's counts to the file named by TEST_TALLY, if any. A run of everything is several Jest runs, and
 * continuous integration wants one sum. A suite that could not even be loaded counts as one failure.
 */
import { appendFileSync } from 'node:fs';

export default class Tally {
  onRunComplete(_contexts, results) {
    const file = process.env.TEST_TALLY;
    if (!file) return;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    appendFileSync(file, `${JSON.stringify({ passed: results.numPassedTests, failed, pending: results.numPendingTests })}\n`);
  }
}
