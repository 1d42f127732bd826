/** Settings of API keys, and of who may see the content of tasks. */
import { sharedSecret } from './credentials.js';
import { choice, integer, type SettingRoles } from './setting.js';

const roles: SettingRoles = ['api'];
const DAY_MS = 86_400_000;

export const KEY_SETTINGS = {
  AUTH_KEY_PEPPER: sharedSecret({
    roles,
    doc: 'What API keys are hashed with, the same on every api; another value ends every key. Unset: no API keys, except on an embedded start, which takes it from the secret of its tokens.',
  }),
  AUTH_KEYS_MAX: integer({ roles, fallback: 100, min: 1, max: 1_000, doc: 'Most active API keys of one tenant.' }),
  AUTH_KEY_LIFETIME_MAX_MS: integer({
    roles,
    fallback: 365 * DAY_MS,
    min: 60_000,
    max: 3_650 * DAY_MS,
    unit: 'ms',
    doc: 'Longest life of an API key.',
  }),
  AUTH_KEY_OVERLAP_MAX_MS: integer({
    roles,
    fallback: 7 * DAY_MS,
    min: 0,
    max: 90 * DAY_MS,
    unit: 'ms',
    doc: 'How long the old secret of a rotated API key may stay good at most.',
  }),
  AUTH_KEY_CACHE_MS: integer({
    roles,
    fallback: 2_000,
    min: 0,
    max: 5_000,
    unit: 'ms',
    doc: 'How long an api may go on with what it has read of an API key: so late a revocation arrives.',
  }),
  AUTH_PAYLOAD_SCOPE: choice({
    roles,
    values: ['off', 'required'],
    fallback: 'off',
    doc: 'Whether the content of tasks (payload, result, metadata, messages of handlers) is shown only to callers with the scope `tasks:payload`.',
  }),
} as const;
