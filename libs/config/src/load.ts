/**
 * Reads a whole environment at once. Every problem is found and told in one go, so that an operator repairs a deployment
 * in one round, and no problem repeats a value or a path.
 */
import { InvalidConfiguration } from '@app/errors';
import { RULES } from './combinations.js';
import { Config } from './config.js';
import { isEmbedded, showsDocuments } from './rule.js';
import type { Reading, Setting } from './setting.js';
import { fieldOf, settingEntries, type SettingField, type SettingValues } from './settings.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration for this environment; variables that are not in the table are ignored.
 * @throws InvalidConfiguration with every problem found, each naming its variables and what to write.
 */
export function loadConfig(environment: Environment): Config {
  const problems: string[] = [];
  const values: Partial<Record<SettingField, unknown>> = {};
  for (const [name, setting] of settingEntries()) {
    const reading = readSetting(setting, environment[name]);
    if ('problem' in reading) problems.push(`${name} ${reading.problem}`);
    else values[fieldOf(name)] = reading.value;
  }
  const settings = values as SettingValues;
  for (const rule of RULES) {
    const problem = rule.needs.every((field) => field in values) ? rule.problem(settings) : null;
    if (problem !== null) problems.push(problem);
  }
  if (problems.length > 0) throw new InvalidConfiguration(problems);
  return new Config({ ...settings, embedded: isEmbedded(settings), showsDocuments: showsDocuments(settings) });
}

function readSetting(setting: Setting<unknown>, raw: string | undefined): Reading<unknown> {
  if (raw === undefined) return { value: setting.fallback };
  if (raw.trim() === '') return { problem: 'is set but empty: give it a value, or remove it to get the default.' };
  if (raw !== raw.trim() && setting.keepsWhiteSpace !== true) return { problem: 'begins or ends with white space: remove it.' };
  return setting.read(raw);
}
