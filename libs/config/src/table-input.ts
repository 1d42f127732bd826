/** Settings of what the api takes in: how complex a body may be, and what it knows of the payloads of handlers. */
import { integer, toggle, type SettingRoles } from './setting.js';

const roles: SettingRoles = ['api'];

export const INPUT_SETTINGS = {
  BODY_KEYS_MAX: integer({
    roles,
    fallback: 10_000,
    min: 100,
    max: 1_000_000,
    doc: 'Most keys that one object in a body may have.',
  }),
  BODY_VALUES_MAX: integer({
    roles,
    fallback: 500_000,
    min: 1_000,
    max: 10_000_000,
    doc: 'Most values that a body may have in all, objects and lists among them: small ones take many times their size in memory.',
  }),
  PAYLOAD_SCHEMAS: toggle({
    roles,
    fallback: true,
    doc: 'Whether an api that runs no handlers reads the `payloadSchema` of those in `HANDLERS_DIR`, where that is set, to check payloads at submission.',
  }),
  HANDLERS_READ_MS: integer({
    roles: ['api', 'worker'],
    fallback: 30_000,
    min: 100,
    max: 300_000,
    unit: 'ms',
    doc: 'How long that reading may take when the api starts, and how long a worker may take to load one module of `HANDLERS_DIR`.',
  }),
  HANDLERS_READ_MEMORY_MB: integer({
    roles,
    fallback: 256,
    min: 16,
    max: 65_536,
    doc: 'Memory in MiB for that reading.',
  }),
} as const;
