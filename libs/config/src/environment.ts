/** The only place in the project that touches the environment of the process. */
import type { Environment } from './load.js';

/** A copy of the environment as it is now. */
export function readEnvironment(): Environment {
  return Object.freeze({ ...process.env });
}
