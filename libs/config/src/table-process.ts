/** Settings of the process itself: what it is, where it listens, how it stops and what it logs. */
import { failpointList } from './failpoint-list.js';
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
  LIVENESS_LOOP_FAILURES: integer({
    fallback: 20,
    min: 3,
    max: 10_000,
    doc: 'How often in a row a loop may fail, though nothing it depends on is away, before `/health/live` answers 503.',
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
  NODE_ENV: text({
    fallback: 'development',
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    accepts: '1 to 64 of A-Z a-z 0-9 . _ -',
    doc: 'Where it is `production`, as in the image, `FAILPOINTS` is refused, and `API_DOCS` is off unless it is switched on; nothing else here depends on it.',
  }),
  FAILPOINTS: failpointList({
    doc: 'For tests only: places at which this process kills or stops itself. Refused where `NODE_ENV` is `production`.',
  }),
} as const;
