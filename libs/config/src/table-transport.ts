/** Settings of what goes over the wire: how patient the HTTP server is, what browsers may do, and TLS to the servers behind. */
import { certificateFile } from './certificates.js';
import { origins } from './origins.js';
import { choice, integer, text } from './setting.js';

const SERVER_NAME = {
  pattern: /^(?!\d+(\.\d+){3}$)[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/,
  accepts: 'a host name',
  fallback: null,
};

export const TRANSPORT_SETTINGS = {
  HTTP_HEADERS_TIMEOUT_MS: integer({
    fallback: 20_000,
    min: 1_000,
    max: 300_000,
    unit: 'ms',
    doc: 'How long a client may take to send the head of a request, and a new connection to send anything.',
  }),
  HTTP_BODY_TIMEOUT_MS: integer({
    fallback: 30_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    roles: ['api'],
    doc: 'How long the body of a request may take before it is answered with 408.',
  }),
  HTTP_REQUEST_TIMEOUT_MS: integer({
    fallback: 60_000,
    min: 2_000,
    max: 900_000,
    unit: 'ms',
    doc: 'How long a request may take to arrive whole before its connection is cut. What the server needs to answer does not count.',
  }),
  HTTP_KEEP_ALIVE_MS: integer({
    fallback: 10_000,
    min: 1_000,
    max: 600_000,
    unit: 'ms',
    doc: 'How long a connection without a request is kept; set it above the idle time of a load balancer, or that will meet closed ones.',
  }),
  HTTP_STALLED_TIMEOUT_MS: integer({
    fallback: 120_000,
    min: 65_000,
    max: 900_000,
    unit: 'ms',
    doc: 'How long a connection may carry nothing in either direction, as where a client does not take its answer; above the 60 s that `Prefer: wait` may last.',
  }),
  HTTP_TIMEOUT_CHECK_MS: integer({
    fallback: 2_000,
    min: 100,
    max: 30_000,
    unit: 'ms',
    doc: 'How often the connections are looked through for clients that took too long; how late a limit may be noticed.',
  }),
  HTTP_MAX_HEADER_BYTES: integer({
    fallback: 16_384,
    min: 4_096,
    max: 65_536,
    unit: 'bytes',
    doc: 'Most bytes of the head of a request, the address included; more is answered with 431.',
  }),
  HTTP_MAX_HEADERS: integer({ fallback: 100, min: 20, max: 1_000, doc: 'Most header lines of a request; more is answered with 431.' }),
  HTTP_MAX_CONNECTIONS: integer({
    fallback: 10_000,
    min: 10,
    max: 1_000_000,
    doc: 'Most connections of clients at a time; those beyond are closed at once, and the log says so. Probes need some too.',
  }),
  HTTP_REQUESTS_PER_CONNECTION: integer({
    fallback: 10_000,
    min: 1,
    max: 1_000_000_000,
    doc: 'After how many requests on a connection its client is told to open another, so that clients spread over new replicas.',
  }),
  HSTS_SECONDS: integer({
    fallback: 0,
    min: 0,
    max: 63_072_000,
    roles: ['api'],
    doc: 'Where above 0, browsers are told to use only HTTPS for this long (`Strict-Transport-Security`); for an api that is reached through TLS alone.',
  }),
  CORS_ORIGINS: origins({ roles: ['api'], doc: 'Web origins whose pages may call the api. None: no page of another origin can.' }),
  API_DOCS: choice({
    values: ['auto', 'on', 'off'],
    fallback: 'auto',
    roles: ['api'],
    doc: 'Whether `/docs` and `/openapi.json` are served, to anybody; `auto` is on, and off where `NODE_ENV` is `production`, as in the image.',
  }),
  DATABASE_TLS_CA_FILE: certificateFile({
    doc: 'Authorities that the certificate of the database must come from, with `DATABASE_TLS=verify`. Unset: those that Node.js knows.',
  }),
  DATABASE_TLS_SERVERNAME: text({
    ...SERVER_NAME,
    doc: 'The name that the certificate of the database must have, where it is not the host in `DATABASE_URL`.',
  }),
  REDIS_TLS_CA_FILE: certificateFile({
    doc: 'Authorities that the certificate of Redis must come from, with `rediss://`. Unset: those that Node.js knows.',
  }),
  REDIS_TLS_SERVERNAME: text({
    ...SERVER_NAME,
    doc: 'The name that the certificate of Redis must have, where it is not the host in `REDIS_URL`.',
  }),
  PLAIN_CONNECTIONS: choice({
    values: ['warn', 'refuse'],
    fallback: 'warn',
    doc: 'What a process does that would send a password to another machine without TLS: say so in the log, or not start.',
  }),
  DATABASE_UNSAFE_COMMITS: choice({
    values: ['refuse', 'warn'],
    fallback: 'refuse',
    doc: 'What a process does on a server that may lose committed rows in a power cut (`innodb_flush_log_at_trx_commit` is not 1).',
  }),
} as const;
