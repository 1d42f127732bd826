/**
 * Builds the program when `dist/` was not made from exactly these sources, so that `npm start` and `npm test` are the only
 * commands a newcomer needs. Contents are compared, not dates: an archive or a checkout may bring older files. Everything it
 * has to say goes to stderr, because `npm run --silent token` must print a token and nothing else. Run as a program it
 * builds and exits (`--always`: in any case); `start.mjs` and the test runner import `buildIfNeeded`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
const built = join(root, 'dist/apps/server/main.js');
const stamp = join(root, 'dist/.sources');
const compiler = join(root, 'node_modules/@nestjs/cli/bin/nest.js');
const inputs = ['apps', 'libs', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];

/** Every file that the build reads, in a fixed order. */
function filesBelow(path) {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return path.endsWith('.spec.ts') ? [] : [path];
  return readdirSync(full)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const path of inputs.flatMap(filesBelow)) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** Leaves a `dist/` that matches the sources, or ends the process with 1 and the compiler's own messages. */
export function buildIfNeeded({ always = false } = {}) {
  const sources = fingerprint();
  const isCurrent = existsSync(built) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources;
  if (isCurrent && !always) return;
  if (!existsSync(compiler)) {
    // A production install holds no compiler. What it was given must do; without it there is nothing to start.
    if (existsSync(built) && !always) return;
    console.error('There is no compiler here. Run `npm ci` with development packages, then `npm run build`.');
    process.exit(1);
  }
  console.error('Building …');
  const { status } = spawnSync(process.execPath, [compiler, 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(1);
  writeFileSync(stamp, sources);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildIfNeeded({ always: process.argv.includes('--always') });
