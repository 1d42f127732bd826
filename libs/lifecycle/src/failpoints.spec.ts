import { afterEach, describe, expect, it } from '@jest/globals';
import { InvalidConfiguration } from '@app/errors';
import { armFailpoints, failpoint, type ArmedFailpoint } from './failpoints.js';

describe('a failpoint', () => {
  const done: ArmedFailpoint[] = [];
  const arm = (...wanted: ArmedFailpoint[]): void => {
    armFailpoints(wanted, (failpoint) => void done.push(failpoint));
  };
  afterEach(() => {
    done.length = 0;
    armFailpoints([]);
  });

  it('does nothing where none is armed', () => {
    failpoint('claim.committed');
    expect(done).toEqual([]);
  });

  it('acts at its own pass, once, and at no other place', () => {
    const wanted: ArmedFailpoint = { name: 'claim.committed', action: 'kill', hit: 3 };
    arm(wanted);
    failpoint('claim.committed');
    failpoint('claim.known');
    failpoint('claim.committed');
    expect(done).toEqual([]);
    failpoint('claim.committed');
    expect(done).toEqual([wanted]);
    failpoint('claim.committed');
    expect(done).toHaveLength(1);
  });

  it('may be one of several', () => {
    arm({ name: 'ring.sent', action: 'stop', hit: 1 }, { name: 'ack.done', action: 'kill', hit: 1 });
    failpoint('ack.done');
    failpoint('ring.sent');
    expect(done.map(({ name, action }) => `${name} ${action}`)).toEqual(['ack.done kill', 'ring.sent stop']);
  });

  it('of a name that no place has is refused, with the names there are, and arms nothing', () => {
    const refused = (): void => {
      arm({ name: 'ack.done', action: 'kill', hit: 1 }, { name: 'toString', action: 'kill', hit: 1 });
    };
    expect(refused).toThrow(InvalidConfiguration);
    expect(refused).toThrow(/FAILPOINTS names a place that does not exist; .*claim\.committed/);
    failpoint('ack.done');
    expect(done).toEqual([]);
  });
});
