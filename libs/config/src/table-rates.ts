/** Settings of the request rates, of the addresses that they trust, and of the point at which a process sends everybody away. */
import { integer, type SettingRoles } from './setting.js';
import { trustedProxies } from './trusted-proxies.js';

const roles: SettingRoles = ['api'];

export const RATE_SETTINGS = {
  RATE_CREDENTIAL_PERCENT: integer({
    roles,
    fallback: 50,
    min: 1,
    max: 100,
    doc: "How much of its tenant's request rate, and burst, a single token subject or key may use, in percent.",
  }),
  RATE_FAILURES_PER_MINUTE: integer({
    roles,
    fallback: 20,
    min: 1,
    max: 100_000,
    doc: 'How many attempts with a credential that is not acceptable one address, and one key id, has per minute.',
  }),
  RATE_ANONYMOUS_PER_MINUTE: integer({
    roles,
    fallback: 600,
    min: 1,
    max: 10_000_000,
    doc: 'How many requests without a token one address may send per minute; `/health*` is not counted.',
  }),
  RATE_LEASE_MS: integer({
    roles,
    fallback: 5_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'How long a process may use request allowances that it has leased from the database; a longer lease is fewer statements and a limit that is held less exactly.',
  }),
  RATE_WAIT_MS: integer({
    roles,
    fallback: 500,
    min: 10,
    max: 10_000,
    unit: 'ms',
    doc: 'How long a request waits for its rate limit to be read before this process decides alone.',
  }),
  RATE_REMEMBERED_MAX: integer({
    roles,
    fallback: 10_000,
    min: 100,
    max: 1_000_000,
    doc: 'How many tenants, credentials, addresses and key ids, of each, a process keeps rate limits of in memory.',
  }),
  RATE_PRUNE_MS: integer({
    roles,
    fallback: 60_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    doc: 'How often rate limits that are not in use any more are deleted from the database.',
  }),
  TRUST_PROXY: trustedProxies({
    roles,
    doc: 'Whose `X-Forwarded-For` is believed: the number of proxies in front of this process, or their addresses. Unset: nobody’s, and the address of the connection counts.',
  }),
  OVERLOAD_POOL_WAITERS: integer({
    roles,
    fallback: 1_000,
    min: 1,
    max: 1_000,
    doc: 'With so many statements waiting for a database connection, requests are answered with 503 at once.',
  }),
  OVERLOAD_POOL_WAIT_MS: integer({
    roles,
    fallback: 2_000,
    min: 20,
    max: 60_000,
    unit: 'ms',
    doc: 'When a statement has waited so long for a database connection, requests are answered with 503 at once. Of no effect from `DATABASE_ACQUIRE_TIMEOUT_MS` on.',
  }),
  OVERLOAD_LOOP_DELAY_MS: integer({
    roles,
    fallback: 1_000,
    min: 20,
    max: 60_000,
    unit: 'ms',
    doc: 'When the event loop is late by so much again and again, requests are answered with 503 at once.',
  }),
  OVERLOAD_REQUESTS_IN_FLIGHT: integer({
    roles,
    fallback: 5_000,
    min: 10,
    max: 100_000,
    doc: 'With so many requests under way in this process, waiting clients included, further ones are answered with 503 at once.',
  }),
  OVERLOAD_PROBE_MS: integer({
    roles,
    fallback: 1_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    doc: 'How often the database is asked whether it is there; after two questions without an answer in this time, requests are answered with 503 at once.',
  }),
} as const;
