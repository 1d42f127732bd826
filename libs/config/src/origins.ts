/**
 * Web origins whose pages may read answers of the api. They are compared letter by letter with what a browser sends, so each must
 * be written the way browsers write it; there is no wildcard and no `null`, which every sandboxed page is.
 */
import { isLoopback } from './loopback.js';
import { about, type About, type Setting } from './setting.js';

const ORIGINS_MAX = 64;

export function origins(options: About): Setting<readonly string[]> {
  return {
    ...about(options),
    fallback: Object.freeze([]),
    shownDefault: 'none',
    accepts: `a comma-separated list of at most ${ORIGINS_MAX} origins such as \`https://console.example\``,
    read: (raw) => {
      const list = raw.split(',');
      if (!list.every(isOrigin)) {
        return {
          problem:
            'must be a comma-separated list of origins as browsers send them, such as https://console.example or https://console.example:8443: lower case, no path, no default port, no *, and http:// for this machine only.',
        };
      }
      if (new Set(list).size < list.length) return { problem: 'must name every origin once.' };
      if (list.length > ORIGINS_MAX) return { problem: `must list at most ${ORIGINS_MAX} origins.` };
      return { value: Object.freeze(list) };
    },
  };
}

/** A token sent from a page that came over plain HTTP is a token that everybody on the way could have read. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, protocol, hostname } = new URL(text);
  return origin === text && !hostname.includes('*') && (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)));
}
