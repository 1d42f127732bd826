import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidConfiguration } from '@app/errors';
import { embeddedSecret } from './embedded-secret.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'auth-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const url = () => `sqlite:${folder}/data/tasks.db`;
const file = () => join(folder, 'data', 'auth-secret');

describe('embeddedSecret', () => {
  it('makes a secret once, for its owner only, and leaves nothing else', async () => {
    const secret = await embeddedSecret(url());
    expect(secret).toHaveLength(32);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(await embeddedSecret(url())).toEqual(secret);
    expect(readdirSync(join(folder, 'data'))).toEqual(['auth-secret']);
  });

  it('agrees on one secret where many start at once', async () => {
    const secrets = await Promise.all(Array.from({ length: 20 }, () => embeddedSecret(url())));
    expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(1);
    expect(Buffer.from(readFileSync(file(), 'utf8'), 'base64url')).toEqual(secrets[0]);
    expect(readdirSync(join(folder, 'data'))).toEqual(['auth-secret']);
  });

  it('says what to do where the file holds something else, without its path or content', async () => {
    await embeddedSecret(url());
    writeFileSync(file(), 'canary');
    const failure: unknown = await embeddedSecret(url()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InvalidConfiguration);
    expect(String(failure)).toContain('Delete it');
    expect(String(failure)).not.toMatch(new RegExp(`canary|${folder}`));
  });

  it('says what to do where the folder cannot be made', async () => {
    writeFileSync(join(folder, 'data'), '');
    await expect(embeddedSecret(url())).rejects.toThrow(/auth-secret/);
  });
});
