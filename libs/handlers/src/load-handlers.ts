/**
 * Loads the user's own handlers from a folder. Every `.js` and `.mjs` file in it (not in folders below) is a module whose
 * default export is one handler or a list of them. A module that cannot be loaded ends the boot and is named by its file
 * name only; the cause, with its paths, goes to the log. So does one that never comes to an end, or that calls `process.exit()`: a boot
 * that hangs or ends without a word would name nobody.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { types } from 'node:util';
import { HandlersNotLoaded } from './boot-errors.js';
import { checkDefinition } from './check-definition.js';
import { describeFailure } from './describe-failure.js';
import type { HandlerDefinition } from './definition.js';
import { replaceExit } from './replace-exit.js';

export interface LoadedHandler {
  readonly definition: HandlerDefinition;
  /** The file name. */
  readonly origin: string;
  /** URL of the file. */
  readonly module: string;
}

/**
 * @param directory path of the folder; a relative one starts at the working directory.
 * @param deadlineMs how long each module may take, in ms. While one is loaded, `process.exit` throws.
 * @throws HandlersNotLoaded where the folder or a module cannot be loaded.
 * @throws InvalidHandler where a module exports something else than handlers.
 */
export async function loadHandlersFrom(directory: string, deadlineMs: number): Promise<LoadedHandler[]> {
  const loaded: LoadedHandler[] = [];
  let isOver = false;
  const putBack = replaceExit((code) => {
    // A module may have kept this one under a name of its own.
    if (isOver) return process.exit(code);
    throw new Error('it called process.exit(), and nothing is loaded that way');
  });
  try {
    for (const file of await moduleFiles(resolve(directory))) loaded.push(...(await loadInTime(file, deadlineMs)));
  } finally {
    isOver = true;
    putBack();
  }
  return loaded;
}

async function loadInTime(file: string, deadlineMs: number): Promise<LoadedHandler[]> {
  const advice = 'Await nothing that may not come at its top level, or raise HANDLERS_READ_MS.';
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new HandlersNotLoaded(`${basename(file)} was not loaded within ${deadlineMs} ms. ${advice}`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([loadHandlerModule(pathToFileURL(file).href), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Hidden names are skipped: Kubernetes keeps the real files of a mounted volume in folders that begin with two dots. */
async function moduleFiles(directory: string): Promise<string[]> {
  const files: string[] = [];
  try {
    for (const name of (await readdir(directory)).sort()) {
      const isModule = !name.startsWith('.') && ['.js', '.mjs'].includes(extname(name));
      if (isModule && (await stat(join(directory, name))).isFile()) files.push(join(directory, name));
    }
  } catch (error) {
    const { code } = describeFailure(error);
    throw new HandlersNotLoaded(`HANDLERS_DIR names a folder that cannot be read (${code}). Correct it, or remove the variable.`, error);
  }
  return files;
}

/**
 * The handlers of one module, in the order it exports them.
 * @param module file URL.
 * @throws HandlersNotLoaded, InvalidHandler as above.
 */
export async function loadHandlerModule(module: string): Promise<LoadedHandler[]> {
  const origin = basename(fileURLToPath(module));
  const exported = defaultExport(await importModule(module, origin));
  if (exported === undefined) {
    throw new HandlersNotLoaded(`${origin} has no default export. Write "export default { name: '…', run(payload, context) { … } }".`);
  }
  const definitions: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
  return definitions.map((definition) => {
    checkDefinition(definition, origin);
    return { definition, origin, module };
  });
}

async function importModule(module: string, origin: string): Promise<unknown> {
  try {
    return await import(module);
  } catch (error) {
    // Node knows the line, and shows it only to who runs the file.
    const advice = types.isNativeError(error) && error.name === 'SyntaxError' ? ` ("node ${origin}" shows where)` : '';
    throw new HandlersNotLoaded(`${origin} could not be loaded: ${withoutPaths(describeFailure(error).message)}${advice}`, error);
  }
}

/** The default export; a CommonJS module that a compiler wrote keeps its own one level deeper. */
function defaultExport(module: unknown): unknown {
  const exported = propertyOf(module, 'default');
  return propertyOf(exported, '__esModule') === true ? propertyOf(exported, 'default') : exported;
}

function propertyOf(target: unknown, name: string): unknown {
  return typeof target === 'object' && target !== null ? (Reflect.get(target, name) as unknown) : undefined;
}

/** Keeps the last part of every path. */
function withoutPaths(message: string): string {
  return message.replace(
    /(?<![\w@.])(?:file:\/\/)?(?:[A-Za-z]:|\.{1,2})?(?:[\\/][^\s'"():;,\\/]+)+/g,
    (path) => path.split(/[\\/]/).at(-1) ?? '',
  );
}
