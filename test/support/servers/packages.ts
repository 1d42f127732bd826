/**
 * The last resort on a bare Debian or Ubuntu, such as a fresh container: install what the tests need, above all the two servers.
 * It is said aloud, and a policy file keeps the package scripts from starting services, because the tests start servers of their
 * own.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { findProgram } from './programs.js';

const POLICY = '/usr/sbin/policy-rc.d';
const SERVERS = ['mariadb-server', 'redis-server'] as const;

export function canInstallPackages(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && findProgram('apt-get') !== null;
}

/** True where the packages are installed afterwards. What apt-get says goes to stderr, after the reason for it. */
export function installPackages(reason = 'No database and Redis server found.', packages: readonly string[] = SERVERS): boolean {
  process.stderr.write(`${reason} Installing: apt-get install ${packages.join(' ')}\n`);
  const hadPolicy = existsSync(POLICY);
  if (!hadPolicy) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return aptGet('update') && aptGet('install', '-y', '--no-install-recommends', ...packages);
  } finally {
    if (!hadPolicy) rmSync(POLICY, { force: true });
  }
}

function aptGet(...args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', ['-q', ...args], { stdio: ['ignore', 2, 2], env }).status === 0;
}
