/** `npm run migrate`, on the build. */
import { fileURLToPath } from 'node:url';
import { App } from './process.js';

const PROGRAM = fileURLToPath(new URL('../../dist/apps/server/migrate.js', import.meta.url));

/** Fails with the program's own words where it does not end with 0. */
export async function migrateWith(env: Readonly<Record<string, string>>): Promise<void> {
  // A role must be named that may use these addresses; the migration belongs to none.
  const app = new App({ program: PROGRAM, env: { ...env, ROLE: 'scheduler' } });
  const { code } = await app.exited;
  if (code !== 0) throw new Error(`The migration ended with ${code}: ${app.stderr()}`);
}
