import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { HandlersNotLoaded, InvalidHandler } from './boot-errors.js';
import type { TaskContext } from './definition.js';
import { loadHandlerModule, loadHandlersFrom } from './load-handlers.js';

const DEADLINE_MS = 10_000;

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'handlers-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function write(name: string, source: string): Promise<void> {
  return writeFile(join(directory, name), source);
}

async function failure(): Promise<Error> {
  return loadHandlersFrom(directory, DEADLINE_MS).then(
    () => {
      throw new Error('The folder was loaded.');
    },
    (error: unknown) => error as Error,
  );
}

describe('loadHandlersFrom', () => {
  it('loads one handler or a list per module, in the order of the names', async () => {
    await write('b.mjs', `export default [{ name: 'b.one', run: () => 1 }, { name: 'b.two', timeoutMs: 5, async run() { return 2; } }];`);
    await write('a.js', `module.exports = { name: 'a', run: (payload) => ({ got: payload }) };`);
    await write('c.js', `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = { name: 'c', run() {} };`);
    const loaded = await loadHandlersFrom(directory, DEADLINE_MS);
    expect(loaded.map(({ definition, origin }) => [definition.name, origin])).toEqual([
      ['a', 'a.js'],
      ['b.one', 'b.mjs'],
      ['b.two', 'b.mjs'],
      ['c', 'c.js'],
    ]);
    expect(await loaded[0]?.definition.run(7, {} as TaskContext)).toEqual({ got: 7 });
    // An isolated handler is loaded again by its thread or process, from there.
    expect((await loadHandlerModule(loaded[1]!.module)).map(({ definition }) => definition.name)).toEqual(['b.one', 'b.two']);
  });

  it('leaves everything else alone: other files, hidden names, folders', async () => {
    await write('readme.md', '# Handlers');
    await write('types.d.ts', 'export {};');
    await write('.hidden.mjs', 'throw new Error();');
    await mkdir(join(directory, 'folder.js'));
    expect(await loadHandlersFrom(directory, DEADLINE_MS)).toEqual([]);
  });

  it('follows links, as a mounted volume of Kubernetes needs', async () => {
    await mkdir(join(directory, '..data'));
    await write('..data/mail.mjs', `export default { name: 'mail', run() {} };`);
    await symlink(join('..data', 'mail.mjs'), join(directory, 'mail.mjs'));
    expect((await loadHandlersFrom(directory, DEADLINE_MS)).map(({ definition }) => definition.name)).toEqual(['mail']);
  });

  it.each([
    [
      'a module that throws',
      `throw new Error('no database at /srv/secret/place.db');`,
      /^bad\.mjs could not be loaded: no database at place\.db$/,
    ],
    ['a module with a mistake', 'export default {', /^bad\.mjs could not be loaded: Unexpected .* \("node bad\.mjs" shows where\)$/],
    ['a module that misses another', `import '/srv/secret/missing.mjs'; export default {};`, /^bad\.mjs could not be loaded: /],
    ['a module without a default export', `export const handler = {};`, /^bad\.mjs has no default export\./],
  ])('names %s by its file name, without a path', async (_, source, message) => {
    await write('bad.mjs', source);
    const error = await failure();
    expect(error).toBeInstanceOf(HandlersNotLoaded);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('/srv');
    expect(error.message).not.toContain(directory);
  });

  it('names a module that calls process.exit() while it is loaded, and ends nothing', async () => {
    const real = process.exit;
    await write('bad.mjs', `import { exit } from 'node:process';\nexit(0);\nexport default { name: 'bad', run() {} };`);
    expect((await failure()).message).toBe('bad.mjs could not be loaded: it called process.exit(), and nothing is loaded that way');
    expect(process.exit).toBe(real);
  });

  it('names a module that never comes to its end', async () => {
    await write('bad.mjs', `await new Promise(() => undefined);\nexport default { name: 'bad', run() {} };`);
    await expect(loadHandlersFrom(directory, 20)).rejects.toThrow(/^bad\.mjs was not loaded within 20 ms\. /);
  });

  it('says what is wrong with a handler, and in which module', async () => {
    await write('bad.mjs', `export default [{ name: 'good', run() {} }, { name: 'bad', timeoutMs: -1, run() {} }];`);
    const error = await failure();
    expect(error).toBeInstanceOf(InvalidHandler);
    expect(error.message).toBe('The handler from bad.mjs ("bad") cannot be used: "timeoutMs" must be a whole number from 1 to 86400000.');
  });

  it('says that the folder cannot be read, without naming it', async () => {
    await rm(directory, { recursive: true });
    const error = await failure();
    expect(error).toBeInstanceOf(HandlersNotLoaded);
    expect(error.message).toBe('HANDLERS_DIR names a folder that cannot be read (ENOENT). Correct it, or remove the variable.');
  });
});
