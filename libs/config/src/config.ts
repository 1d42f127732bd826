/**
 * The configuration of a process: typed, frozen, and shown without its secrets. The class is the injection token; its
 * fields come from the table of settings, so there is no second list to keep.
 */
import { inspect } from 'node:util';
import { fieldOf, settingEntries, type SettingValues } from './settings.js';

export interface DerivedValues {
  /** SQLite and no Redis: the whole system in one process. */
  readonly embedded: boolean;
  /** Whether `/docs` and `/openapi.json` are served. */
  readonly showsDocuments: boolean;
}

export type ConfigValues = SettingValues & DerivedValues;

class Values {
  constructor(values: ConfigValues) {
    Object.assign(this, values);
    Object.freeze(this);
  }
}

const TypedValues = Values as unknown as new (values: ConfigValues) => ConfigValues;

/** Made by `loadConfig` only. Unset optional settings are `null` (`redisUrls`: an empty list). */
export class Config extends TypedValues {
  /** The settings with every secret hidden, so that a configuration may be logged. */
  toJSON(): Record<string, unknown> {
    const shown: Record<string, unknown> = Object.fromEntries(Object.entries(this));
    for (const [name, setting] of settingEntries()) {
      const field = fieldOf(name);
      const value = shown[field];
      const unset = value === null || (Array.isArray(value) && value.length === 0);
      if (setting.secret && !unset) shown[field] = '[secret]';
    }
    return shown;
  }

  [inspect.custom](): Record<string, unknown> {
    return this.toJSON();
  }
}
