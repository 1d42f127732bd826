/**
 * `node test/support/run.mjs [project…] [-- jest options]` runs the test projects from the cheapest to the dearest and goes on
 * after a failure, so that one run tells everything. It builds first, because the end-to-end tests start the built program.
 * Without arguments it runs all of them, on every backend the machine can provide.
 *
 * With CI=true a file of the dear projects that failed has a second try, alone, as long as few have: these tests start processes and
 * servers and kill them, on machines that do other work as well. What fails only the first time is told by name at the end, and never in
 * silence: decision 0021.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { buildIfNeeded } from '../../apps/server/build.mjs';

const root = resolve(import.meta.dirname, '../..');
const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', join(root, 'node_modules/jest/bin/jest.js')];
const SECOND_TRIES_MAX = 3;

/**
 * What shares a Jest run, and how. End-to-end files start several processes each, so they take turns. A test that talks to real
 * servers has time enough for a slow machine: its own waits have deadlines that say what they waited for.
 */
const stages = [
  { projects: ['unit', 'tidy'], workers: null, options: [], secondTry: false },
  { projects: ['integration'], workers: '--maxWorkers=2', options: ['--testTimeout=30000'], secondTry: true },
  { projects: ['e2e'], workers: '--runInBand', options: ['--testTimeout=90000'], secondTry: true },
];

/** One Jest run: how it ended, and what it found per file; `null` where it did not come to its end. */
function run(projects, options) {
  const place = mkdtempSync(join(tmpdir(), 'findings-'));
  const file = join(place, 'findings.json');
  try {
    const { status } = spawnSync(process.execPath, [...jest, '--selectProjects', ...projects, '--passWithNoTests', ...options], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, TEST_FINDINGS: file },
    });
    return { status, findings: JSON.parse(readFileSync(file, 'utf8')) };
  } catch {
    return { status: 1, findings: null };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** The failed files once more, one after the other; their second findings replace the first. */
function tryAgain(projects, stageOptions, findings) {
  const failed = findings.filter((finding) => finding.failed > 0);
  if (failed.length === 0 || failed.length > SECOND_TRIES_MAX) return { findings, unstable: [] };
  console.log(`\nSECOND TRY, alone: ${failed.map(({ path }) => relative(root, path)).join(', ')}`);
  const again = run(projects, ['--runInBand', ...stageOptions, '--runTestsByPath', ...failed.map(({ path }) => path)]);
  if (again.findings === null) return { findings, unstable: [] };
  const second = new Map(again.findings.map((finding) => [finding.path, finding]));
  const unstable = failed.filter(({ path }) => second.get(path)?.failed === 0);
  return { findings: findings.map((finding) => second.get(finding.path) ?? finding), unstable };
}

function tally(findings, unstable) {
  const file = process.env.TEST_TALLY;
  if (!file) return;
  const total = (name) => findings.reduce((sum, finding) => sum + finding[name], 0);
  const names = unstable.flatMap(({ path, failures }) => failures.map((failure) => `${relative(root, path)}: ${failure}`));
  appendFileSync(
    file,
    `${JSON.stringify({ passed: total('passed'), failed: total('failed'), pending: total('pending'), unstable: names })}\n`,
  );
}

const names = stages.flatMap((stage) => stage.projects);
const wanted = process.argv.slice(2).filter((argument) => names.includes(argument));
const options = process.argv.slice(2).filter((argument) => !names.includes(argument) && argument !== '--');

if (wanted.length === 0 || wanted.includes('e2e')) buildIfNeeded();

let hasFailed = false;
for (const stage of stages) {
  const projects = stage.projects.filter((name) => wanted.length === 0 || wanted.includes(name));
  if (projects.length === 0) continue;
  const workers = stage.workers === null ? [] : [stage.workers];
  const first = run(projects, [...workers, ...stage.options, ...options]);
  if (first.findings === null) {
    tally([{ passed: 0, failed: 1, pending: 0 }], []);
    hasFailed = true;
    continue;
  }
  const mayTryAgain = stage.secondTry && process.env.CI === 'true';
  const { findings, unstable } = mayTryAgain
    ? tryAgain(projects, stage.options, first.findings)
    : { findings: first.findings, unstable: [] };
  tally(findings, unstable);
  const isRedeemed = unstable.length > 0 && findings.every(({ failed }) => failed === 0);
  hasFailed ||= first.status !== 0 && !isRedeemed;
}
process.exit(hasFailed ? 1 : 0);
