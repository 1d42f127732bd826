/**
 * The secret of an embedded start without configuration: made once, kept with mode 0600 beside the database file, read from
 * there afterwards. It is written to a file of its own first and then linked to its name, so two processes that start at the
 * same moment agree on one secret and nobody ever reads half of one. Where the file system has no links, it is created
 * exclusively instead, and a reader waits briefly for the other process to finish writing.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { InvalidConfiguration } from '@app/errors';

const FILE = 'auth-secret';
const BYTES = 32;
const READ_TRIES = 50;
const READ_PAUSE_MS = 20;
const WRITE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/**
 * @param databaseUrl `sqlite:PATH`; an in-memory database gets a secret that lives as long as the process
 * @throws InvalidConfiguration where the file cannot be written, or holds something else
 */
export async function embeddedSecret(databaseUrl: string): Promise<Buffer> {
  const path = secretPath(databaseUrl);
  if (path === null) {
    return randomBytes(BYTES);
  }
  const existing = await readSecret(path);
  if (existing !== null) {
    return existing;
  }
  try {
    await mkdir(dirname(path), { recursive: true });
    await createOnce(path, randomBytes(BYTES).toString('base64url'));
  } catch (cause) {
    throw new InvalidConfiguration([
      `Cannot write ${FILE} beside the database file (${codeOf(cause)}). Make its directory writable or set AUTH_JWT_SECRET.`,
    ]);
  }
  for (let tries = 0; tries < READ_TRIES; tries += 1) {
    const secret = await readSecret(path);
    if (secret !== null) {
      return secret;
    }
    await pause(READ_PAUSE_MS);
  }
  throw new InvalidConfiguration([
    `The file ${FILE} beside the database file does not hold a secret. Delete it and start again, or set AUTH_JWT_SECRET.`,
  ]);
}

/** Where the secret of this database is kept; null for a database without a file. */
export function secretPath(databaseUrl: string): string | null {
  const path = databaseUrl.replace(/^sqlite:/, '');
  return path === ':memory:' || path === '' ? null : join(dirname(path), FILE);
}

async function createOnce(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`;
  try {
    await writeNew(draft, text);
    await link(draft, path);
  } catch (error) {
    if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error))) {
      await writeNew(path, text).catch(ignoreExisting);
    } else {
      ignoreExisting(error);
    }
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, WRITE_NEW, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The secret, or null where the file is missing or not complete yet. */
async function readSecret(path: string): Promise<Buffer | null> {
  try {
    const secret = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64url');
    return secret.length === BYTES ? secret : null;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      return null;
    }
    throw new InvalidConfiguration([`Cannot read ${FILE} beside the database file (${codeOf(error)}).`]);
  }
}

function ignoreExisting(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') {
    throw error;
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown';
}
