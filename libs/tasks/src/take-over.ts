/**
 * What the holder of the embedded file's lock does first. Nobody else can be running anything, so every worker in the register
 * is gone and every doorbell message with it: running tasks are taken back at once, and queued ones go where workers look.
 */
import { sql, type Database } from '@app/database';
import type { TaskSweeper } from './sweep.js';
import type { Workers } from './workers.js';

/** Returns how many running tasks were taken back. */
export async function takeOver(database: Database, workers: Workers, sweeper: TaskSweeper): Promise<number> {
  await workers.loseAll();
  await database.execute(sql`UPDATE tasks SET phase = 'unrung', rung_at = 0 WHERE phase = 'live' AND state = 'queued'`);
  let total = 0;
  for (;;) {
    const { taken, full } = await sweeper.takeBack();
    total += taken;
    if (!full) return total;
  }
}
