/** Names of environment variables that are handed on to somebody else. */
import { about, type About, type Setting } from './setting.js';

const NAMES_MAX = 64;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

export function variableNames(options: About): Setting<readonly string[]> {
  return {
    ...about(options),
    fallback: Object.freeze([]),
    shownDefault: 'none',
    accepts: `a comma-separated list of at most ${NAMES_MAX} names of variables`,
    read: (raw) => {
      const names = raw.split(',');
      if (!names.every((name) => VARIABLE_NAME.test(name))) {
        return { problem: 'must be a comma-separated list of names of variables without spaces, each of letters, digits and _.' };
      }
      if (new Set(names).size < names.length) return { problem: 'must name every variable once.' };
      if (names.length > NAMES_MAX) return { problem: `must list at most ${NAMES_MAX} names.` };
      return { value: Object.freeze(names) };
    },
  };
}
