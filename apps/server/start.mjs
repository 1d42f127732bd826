/**
 * `node apps/server/start.mjs [program [arguments]]` builds if needed and runs `dist/apps/server/<program>.js` (default: `main`) in this very
 * process, so that a signal sent to `npm start` reaches the server itself and not a wrapper.
 */
import { fileURLToPath } from 'node:url';
import { buildIfNeeded } from './build.mjs';

const program = process.argv[2] ?? 'main';
if (!/^[a-z-]+$/.test(program)) {
  console.error('The program must be the name of a file in apps/server, such as `main` or `migrate`.');
  process.exit(1);
}
buildIfNeeded();
const file = new URL(`../../dist/apps/server/${program}.js`, import.meta.url);
// The program reads its own arguments, as if it had been started directly.
process.argv.splice(1, 2, fileURLToPath(file));
await import(file.href);
