/**
 * The whole table of settings, and the types that follow from it. A field of `Config` is the camel case of its variable;
 * the one exception is named here.
 */
import { CONNECTION_SETTINGS } from './table-connections.js';
import { OUTBOUND_SETTINGS } from './table-outbound.js';
import { KEY_SETTINGS } from './table-keys.js';
import { LIMIT_SETTINGS } from './table-limits.js';
import { FAIRNESS_SETTINGS } from './table-fairness.js';
import { INPUT_SETTINGS } from './table-input.js';
import { PROCESS_SETTINGS } from './table-process.js';
import { RATE_SETTINGS } from './table-rates.js';
import { SCHEDULER_SETTINGS } from './table-scheduler.js';
import { TASK_SETTINGS } from './table-tasks.js';
import { TRANSPORT_SETTINGS } from './table-transport.js';
import { TOKEN_SETTINGS } from './table-tokens.js';
import { WORKER_SETTINGS } from './table-worker.js';
import type { Setting } from './setting.js';

/** The settings in the order they are documented. */
export const SETTINGS = {
  ...PROCESS_SETTINGS,
  ...CONNECTION_SETTINGS,
  ...TRANSPORT_SETTINGS,
  ...KEY_SETTINGS,
  ...TOKEN_SETTINGS,
  ...WORKER_SETTINGS,
  ...FAIRNESS_SETTINGS,
  ...SCHEDULER_SETTINGS,
  ...TASK_SETTINGS,
  ...OUTBOUND_SETTINGS,
  ...LIMIT_SETTINGS,
  ...RATE_SETTINGS,
  ...INPUT_SETTINGS,
} as const;

/** One variable may hold several addresses, so its field is a list and named like one. */
const FIELD_EXCEPTIONS = { REDIS_URL: 'redisUrls' } as const;

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;

type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<S>;
type FieldOf<N extends SettingName> = N extends keyof typeof FIELD_EXCEPTIONS ? (typeof FIELD_EXCEPTIONS)[N] : CamelCase<N>;
type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** The typed value of every setting, by field name. */
export type SettingValues = { readonly [N in SettingName as FieldOf<N>]: ValueOf<Settings[N]> };
export type SettingField = keyof SettingValues;

/** The table as a list of entries, with the setting's type left open. */
export function settingEntries(): readonly (readonly [SettingName, Setting<unknown>])[] {
  return Object.entries(SETTINGS) as (readonly [SettingName, Setting<unknown>])[];
}

/** `DATABASE_POOL_SIZE` → `databasePoolSize`. */
export function fieldOf(name: SettingName): SettingField {
  const exceptions: Partial<Record<SettingName, string>> = FIELD_EXCEPTIONS;
  return (exceptions[name] ?? name.toLowerCase().replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())) as SettingField;
}
