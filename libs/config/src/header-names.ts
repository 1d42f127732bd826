/** Names of HTTP headers, in lower case. */
import { about, type About, type Setting } from './setting.js';

const NAMES_MAX = 64;
const HEADER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export function headerNames(options: About): Setting<readonly string[]> {
  return {
    ...about(options),
    fallback: Object.freeze([]),
    shownDefault: 'none',
    accepts: `a comma-separated list of at most ${NAMES_MAX} names of headers`,
    read: (raw) => {
      const names = raw.split(',');
      if (!names.every((name) => HEADER_NAME.test(name))) {
        return { problem: 'must be a comma-separated list of names of headers without spaces, each of letters, digits, - and _.' };
      }
      if (names.length > NAMES_MAX) return { problem: `must list at most ${NAMES_MAX} names.` };
      return { value: Object.freeze(names.map((name) => name.toLowerCase())) };
    },
  };
}
