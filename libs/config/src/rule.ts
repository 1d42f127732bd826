/** What a rule between settings is, and the two questions that several of them ask first. */
import type { SettingField, SettingValues } from './settings.js';

export interface Rule {
  readonly needs: readonly SettingField[];
  /** The problem with these values, or null. */
  problem(values: SettingValues): string | null;
}

export function usesSqlite(values: Pick<SettingValues, 'databaseUrl'>): boolean {
  return values.databaseUrl.startsWith('sqlite:');
}

/** SQLite and no Redis: one process is the whole system. */
export function isEmbedded(values: Pick<SettingValues, 'databaseUrl' | 'redisUrls'>): boolean {
  return usesSqlite(values) && values.redisUrls.length === 0;
}
