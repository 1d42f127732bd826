/**
 * `node test/support/run.mjs [project…] [-- jest options]` runs the test projects from the cheapest to the dearest and goes on
 * after a failure, so that one run tells everything. It builds first, because the end-to-end tests start the built program.
 * Without arguments it runs all of them, on every backend the machine can provide.
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { buildIfNeeded } from '../../apps/server/build.mjs';

const root = resolve(import.meta.dirname, '../..');
const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', join(root, 'node_modules/jest/bin/jest.js')];

/**
 * What shares a Jest run, and how. End-to-end files start several processes each, so they take turns. A test that talks to real
 * servers has time enough for a slow machine: its own waits have deadlines that say what they waited for.
 */
const stages = [
  { projects: ['unit', 'tidy'], options: [] },
  { projects: ['integration'], options: ['--maxWorkers=2', '--testTimeout=30000'] },
  { projects: ['e2e'], options: ['--runInBand', '--testTimeout=90000'] },
];

const names = stages.flatMap((stage) => stage.projects);
const wanted = process.argv.slice(2).filter((argument) => names.includes(argument));
const options = process.argv.slice(2).filter((argument) => !names.includes(argument) && argument !== '--');

if (wanted.length === 0 || wanted.includes('e2e')) buildIfNeeded();

let hasFailed = false;
for (const stage of stages) {
  const projects = stage.projects.filter((name) => wanted.length === 0 || wanted.includes(name));
  if (projects.length === 0) continue;
  const { status } = spawnSync(
    process.execPath,
    [...jest, '--selectProjects', ...projects, '--passWithNoTests', ...stage.options, ...options],
    { cwd: root, stdio: 'inherit' },
  );
  hasFailed ||= status !== 0;
}
process.exit(hasFailed ? 1 : 0);
