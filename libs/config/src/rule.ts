/** What a rule between settings is, and what the rules ask of a configuration as a whole. */
import type { SettingField, SettingValues } from './settings.js';

export interface Rule {
  readonly needs: readonly SettingField[];
  /** The problem with these values, or null. */
  problem(values: SettingValues): string | null;
}

export function usesSqlite(values: SettingValues): boolean {
  return values.databaseUrl.startsWith('sqlite:');
}

/** SQLite and no Redis: one process is the whole system. */
export function isEmbedded(values: SettingValues): boolean {
  return usesSqlite(values) && values.redisUrls.length === 0;
}
