/**
 * `npm run failpoints`: kills a process at each failpoint, many times, while tasks are under way, and shows that nothing is lost,
 * stuck or done twice. It ends with a table, and with 1 where a promise was broken. docs/failpoints.md explains the figures.
 */
import { appendFileSync } from 'node:fs';
import { brokenRules } from '../../support/store-invariants.js';
import { House } from './house.js';
import { commandOf, readOptions, type Options } from './options.js';
import { isClean, tableOf, type Failed } from './report.js';
import { tryPoint, type Trial } from './trial.js';

const WRONG_SHOWN = 5;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Several failpoints side by side, in turn. */
async function tryAll(house: House, { points, kills, seed, lanes }: Options): Promise<{ trials: Trial[]; failed: Failed[] }> {
  const trials: Trial[] = [];
  const failed: Failed[] = [];
  const waiting = [...points];
  const lane = async (): Promise<void> => {
    for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
      try {
        const trial = await tryPoint(house, point, kills, seed);
        trials.push(trial);
        say(
          `${point}: ${trial.kills} kills, ${trial.tasks} tasks${isClean(trial) ? '' : `, NOT CLEAN: ${trial.wrong.slice(0, WRONG_SHOWN).join('; ')}`}`,
        );
      } catch (error) {
        failed.push({ point, error: error as Error });
        say(`${point}: FAILED: ${(error as Error).stack ?? String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  trials.sort((a, b) => points.indexOf(a.point) - points.indexOf(b.point));
  return { trials, failed };
}

/** One line for continuous integration, as the test runs write it: a failpoint is a test. */
function tally(passed: number, failed: number): void {
  const file = process.env['TEST_TALLY'];
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify({ passed, failed, pending: 0 })}\n`);
}

async function run(options: Options): Promise<boolean> {
  say(commandOf(options));
  const house = await House.build();
  try {
    const { trials, failed } = await tryAll(house, options);
    const broken = Object.entries(await brokenRules(house.database)).map(
      ([rule, rows]) => `${rule}: ${rows.slice(0, WRONG_SHOWN).join('; ')}`,
    );
    const troubles = [...broken, ...house.troubles()];
    for (const trouble of troubles) say(`TROUBLE: ${trouble}`);
    process.stdout.write(`\n${house.versions}; ${commandOf(options)}\n\n${tableOf(trials)}\n`);
    const clean = trials.filter(isClean).length;
    const isSound = failed.length === 0 && clean === trials.length && troubles.length === 0;
    tally(clean, options.points.length - clean + (troubles.length > 0 ? 1 : 0));
    return isSound;
  } finally {
    await house.close();
  }
}

try {
  process.exitCode = (await run(readOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  say(`The campaign has failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
}
