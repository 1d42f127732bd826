/**
 * `npm run chaos`: a campaign of faults against real processes and real servers, judged by what was promised to the clients and
 * by what the handlers have really done. It ends with a table, with 1 where a promise was broken, and says how to repeat it.
 * docs/chaos.md explains the figures.
 */
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { run, type Standing } from './campaign.js';
import { violations } from './judge.js';
import { readOptions, type Options } from './options.js';
import { Register } from './register.js';
import { jsonOf, processRecoveries, reportOf, type Campaign } from './report.js';
import { timelineOf } from './timeline.js';

/** Of each counter that found something. */
const SHOWN_MAX = 5;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function explain({ judgement, evidence }: Campaign, register: Register): Promise<string> {
  const parts: string[] = [];
  for (const [{ name }, findings] of judgement.findings) {
    for (const { why, id, n } of findings.slice(0, SHOWN_MAX)) {
      parts.push(`${name}: ${why}${id === null ? '' : `, task ${id}`}${n === null ? '' : `, submission ${n}`}`);
      const number = n ?? evidence.tasks.find((row) => row.id === id)?.n ?? null;
      if (number !== null) parts.push(...timelineOf(evidence, number, id === null ? [] : await register.events(id)));
    }
  }
  return parts.join('\n');
}

/** The task that waited longest for a place after its process was hit: not a violation, but what one looks at next. */
async function slowest({ judgement, evidence }: Campaign, register: Register): Promise<string> {
  const [last] = [...processRecoveries(judgement, evidence)].sort((a, b) => b.ms - a.ms);
  const row = evidence.tasks.find(({ n }) => n === last?.n);
  if (last === undefined || row === undefined) return 'No task had to be recovered from a process.';
  const told = timelineOf(evidence, row.n, await register.events(row.id));
  return [`The slowest recovery, ${Math.round(last.ms)} ms, task ${row.id}:`, ...told].join('\n');
}

/** One line for continuous integration, as the test runs write it: a counter is a test. */
function tally({ judgement }: Campaign): void {
  const file = process.env['TEST_TALLY'];
  if (file === undefined || file === '') return;
  const counts = [...judgement.findings.values()].map((found) => found.length);
  const failed = counts.filter((count) => count > 0).length;
  appendFileSync(file, `${JSON.stringify({ passed: counts.length - failed, failed, pending: 0 })}\n`);
}

/** Stops the server in order and copies its files, so that they can be looked at. */
async function keepDatabase({ servers }: Standing, directory: string): Promise<void> {
  if (servers === null || servers.database === null) return;
  const data = await new Register(servers.databaseUrl).dataDirectory();
  await servers.database.stop();
  mkdirSync(join(directory, 'database'));
  cpSync(data, join(directory, 'database'), { recursive: true });
}

async function takeDown({ site, stranger, witness, servers }: Standing): Promise<void> {
  await site?.close();
  stranger?.close();
  witness?.close();
  await servers?.remove();
}

async function main(options: Options): Promise<boolean> {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'taskrunnerx-chaos-'));
  const standing: Standing = { servers: null, site: null, stranger: null, witness: null };
  say(`seed ${options.seed}`);
  let isKept = true;
  try {
    const campaign = await run({ options, directory, say }, standing);
    const isSound = violations(campaign.judgement) === 0;
    isKept = !isSound || options.keep;
    const register = new Register(standing.servers?.databaseUrl ?? '');
    say(await slowest(campaign, register));
    if (!isSound) say(`\n${await explain(campaign, register)}`);
    process.stdout.write(`\n${reportOf(campaign)}\n`);
    if (options.out !== null) writeFileSync(options.out, jsonOf(campaign));
    tally(campaign);
    await standing.site?.close();
    if (isKept) await keepDatabase(standing, directory);
    return isSound;
  } finally {
    await takeDown(standing);
    if (isKept) say(`Logs, journal and effects, and the database's files are kept in ${directory}.`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

try {
  process.exitCode = (await main(readOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  say(`The campaign has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
}
