/** What a rule between settings is, and the questions that several of them, or the whole program, ask first. */
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

/** `auto` shows them, except in production: there the operator says so. */
export function showsDocuments({ apiDocs, nodeEnv }: Pick<SettingValues, 'apiDocs' | 'nodeEnv'>): boolean {
  return apiDocs === 'on' || (apiDocs === 'auto' && nodeEnv !== 'production');
}
