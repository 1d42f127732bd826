/** Numbers of TCP ports. */
import { about, type About, type Setting } from './setting.js';

const PORTS_MAX = 64;
const PORT_MAX = 65_535;

export function portList(options: About): Setting<readonly number[]> {
  return {
    ...about(options),
    fallback: Object.freeze([]),
    shownDefault: 'none',
    accepts: `a comma-separated list of at most ${PORTS_MAX} numbers from 1 to ${PORT_MAX}`,
    read: (raw) => {
      const ports = raw.split(',').map((part) => (/^[1-9]\d{0,4}$/.test(part) ? Number(part) : Number.NaN));
      if (!ports.every((port) => port <= PORT_MAX)) {
        return { problem: `must be a comma-separated list of ports without spaces, each from 1 to ${PORT_MAX}.` };
      }
      if (ports.length > PORTS_MAX) return { problem: `must list at most ${PORTS_MAX} ports.` };
      return { value: Object.freeze(ports) };
    },
  };
}
