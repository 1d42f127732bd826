/** The only place in the project that touches the environment of the process. */
import type { Environment } from './load.js';

/** A copy of the environment as it is now. */
export function readEnvironment(): Environment {
  return Object.freeze({ ...process.env });
}

/** What every handler may see of its worker's environment, in a thread or process of its own. Nothing in here is a secret. */
const HARMLESS = ['PATH', 'HOME', 'TZ', 'LANG', 'NODE_ENV'];

/** The part of an environment that isolated handlers get: what is harmless, and the variables that are named. */
export function isolateEnvironment(names: readonly string[], environment: Environment = readEnvironment()): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const name of [...HARMLESS, ...names]) {
    const value = environment[name];
    if (value !== undefined) shown[name] = value;
  }
  return shown;
}
