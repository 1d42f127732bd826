/** Settings of the process itself: what it is, where it listens, how it stops and what it logs. */
import { choice, integer, ROLES, text } from './setting.js';

export const PROCESS_SETTINGS = {
  ROLE: choice({ values: ROLES, fallback: 'all', doc: 'What this process does; `all` is every role in one process.' }),
  PORT: integer({ fallback: 3_000, min: 0, max: 65_535, doc: 'Port of the HTTP server; 0 takes any free port.' }),
  HOST: text({
    fallback: '0.0.0.0',
    pattern: /^[A-Za-z0-9.:_-]{1,253}$/,
    accepts: 'an IP address or a host name',
    doc: 'Address the HTTP server listens on.',
  }),
  SHUTDOWN_TIMEOUT_MS: integer({
    fallback: 25_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    doc: 'How long a stopping process may take to finish or give back what it holds before it exits by force.',
  }),
  LOG_LEVEL: choice({
    values: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    fallback: 'info',
    doc: 'Lines below this level are not written.',
  }),
  LOG_FORMAT: choice({
    values: ['auto', 'json', 'pretty'],
    fallback: 'auto',
    doc: 'One JSON object per line, or lines for people; `auto` is pretty on a terminal and JSON elsewhere.',
  }),
} as const;
