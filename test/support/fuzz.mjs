/**
 * `node test/support/fuzz.mjs [--runs N] [--seed N]`: random requests to the api, N per route (10,000 unless told otherwise). The same
 * seed makes the same requests.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '10000' }, seed: { type: 'string', default: String(Date.now() % 2 ** 31) } },
});
if (![values.runs, values.seed].every((text) => /^[1-9]\d{0,9}$/.test(text))) {
  console.error('--runs and --seed take whole numbers from 1 on.');
  process.exit(2);
}
console.log(`seed ${values.seed}, ${values.runs} requests per route`);
const { status } = spawnSync(
  process.execPath,
  [join(import.meta.dirname, 'run.mjs'), 'integration', '--', 'test/integration/api/fuzz.spec.ts'],
  {
    stdio: 'inherit',
    env: { ...process.env, TEST_FUZZ_RUNS: values.runs, TEST_FUZZ_SEED: values.seed },
  },
);
process.exit(status ?? 1);
