/** Lists of programs or folders. They are compared letter by letter later on, so each must be written the one way that paths are. */
import { normalize } from 'node:path';
import { about, type About, type Setting } from './setting.js';

const ENTRIES_MAX = 64;
const PATH_LENGTH_MAX = 4_096;

/** `what` the paths lead to, such as "programs". */
export function absolutePaths(options: About & { what: string }): Setting<readonly string[]> {
  const { what } = options;
  return {
    ...about(options),
    fallback: Object.freeze([]),
    shownDefault: 'unset',
    accepts: `a comma-separated list of at most ${ENTRIES_MAX} absolute paths of ${what}`,
    read: (raw) => {
      const paths = raw.split(',');
      if (!paths.every((path) => path.startsWith('/'))) {
        return { problem: `must be a comma-separated list of absolute paths of ${what} without spaces, such as /opt/tools/render.` };
      }
      if (!paths.every(isPlain)) return { problem: 'must hold paths without "..", ".", "//" or a slash at the end.' };
      if (new Set(paths).size < paths.length) return { problem: 'must name every path once.' };
      if (paths.length > ENTRIES_MAX) return { problem: `must list at most ${ENTRIES_MAX} paths.` };
      return { value: Object.freeze(paths) };
    },
  };
}

function isPlain(path: string): boolean {
  const ends = path !== '/' && path.endsWith('/');
  return normalize(path) === path && !ends && path === path.trim() && path.length <= PATH_LENGTH_MAX && !path.includes('\0');
}
