/**
 * Builds the program when `dist/` is missing or older than the sources, so that `npm start` and `npm test` are the only
 * commands a newcomer needs. Everything it has to say goes to stderr: `npm run --silent token` must print a token and
 * nothing else. Run as a program it builds and exits; `start.mjs` and the test runner import `buildIfNeeded`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
const built = join(root, 'dist/apps/server/main.js');
const compiler = join(root, 'node_modules/@nestjs/cli/bin/nest.js');
const inputs = ['apps', 'libs', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/** The newest modification below the path, in ms. */
function newest(path) {
  if (!existsSync(path)) return 0;
  const entry = statSync(path);
  if (!entry.isDirectory()) return path.endsWith('.spec.ts') ? 0 : entry.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** Leaves a `dist/` that matches the sources, or ends the process with 1 and the compiler's own messages. */
export function buildIfNeeded() {
  const isCurrent = existsSync(built) && inputs.every(isOlderThanBuild);
  if (isCurrent) return;
  if (!existsSync(compiler)) {
    // A production install holds no compiler. What it was given must do; without it there is nothing to start.
    if (existsSync(built)) return;
    console.error('There is no build and no compiler. Run `npm ci` with development packages, then `npm run build`.');
    process.exit(1);
  }
  console.error('Building …');
  const { status } = spawnSync(process.execPath, [compiler, 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(1);
}

function isOlderThanBuild(input) {
  return newest(join(root, input)) <= statSync(built).mtimeMs;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildIfNeeded();
