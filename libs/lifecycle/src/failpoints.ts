/**
 * Lets a test end this process, or make it stand still, at an exact place. A failpoint that is not armed costs one comparison. It
 * is armed at boot only, from a setting that production refuses; what it does is done by signals to this very process, so that
 * nothing of it can be caught, cleaned up or finished, as with a machine that loses its power.
 */
import { writeSync } from 'node:fs';
import { InvalidConfiguration } from '@app/errors';
import { FAILPOINTS, type FailpointName } from './failpoint-names.js';

/** `kill`: SIGKILL. `stop`: SIGSTOP, until somebody sends SIGCONT. */
export type FailpointAction = 'kill' | 'stop';

export interface ArmedFailpoint {
  readonly name: string;
  readonly action: FailpointAction;
  /** At which pass it acts, from 1; it does so once. */
  readonly hit: number;
}

type CarryOut = (failpoint: ArmedFailpoint) => void;

interface Armed {
  readonly left: Map<string, { failpoint: ArmedFailpoint; passes: number }>;
  readonly carryOut: CarryOut;
}

const STDERR = 2;

let armed: Armed | null = null;

/** Marks the place. Does nothing unless this very name was armed. */
export function failpoint(name: FailpointName): void {
  if (armed !== null) pass(armed, name);
}

/**
 * Arms what is wanted, and nothing else; an empty list disarms. `carryOut` is for tests of this file.
 * @throws InvalidConfiguration for a name that no place has.
 */
export function armFailpoints(wanted: readonly ArmedFailpoint[], carryOut: CarryOut = signalItself): void {
  if (wanted.some(({ name }) => !Object.hasOwn(FAILPOINTS, name))) {
    throw new InvalidConfiguration([`FAILPOINTS names a place that does not exist; there are ${Object.keys(FAILPOINTS).join(', ')}.`]);
  }
  const left = new Map(wanted.map((failpoint) => [failpoint.name, { failpoint, passes: 0 }]));
  armed = left.size === 0 ? null : { left, carryOut };
}

function pass({ left, carryOut }: Armed, name: FailpointName): void {
  const entry = left.get(name);
  if (entry === undefined) return;
  entry.passes += 1;
  if (entry.passes < entry.failpoint.hit) return;
  left.delete(name);
  carryOut(entry.failpoint);
}

/** The line is written past the log, which may hold lines back: the process has no later moment. */
function signalItself({ name, action, hit }: ArmedFailpoint): void {
  writeSync(STDERR, `failpoint ${name}: ${action} at pass ${hit}\n`);
  process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}
