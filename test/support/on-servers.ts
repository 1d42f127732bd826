/**
 * Suites that need servers: one process per role on a database server and Redis. A run without servers says so in their place,
 * with a test that fails where the servers were there after all.
 */
import { describe, expect, it } from '@jest/globals';
import { backends, type Backend } from './backends.js';

export interface ServerNeeds {
  /** What else this machine must be able to do, such as starting a server of the test's own. */
  when?: boolean;
}

export function onServers(title: string, body: (backend: Backend) => void, { when = true }: ServerNeeds = {}): void {
  const servers = backends().filter(({ name }) => name !== 'sqlite');
  if (servers.length > 0 && when) {
    describe.each(servers)(`${title} on $name`, body);
    return;
  }
  describe(`${title} on a database server`, () => {
    it('is not tried: this run has no servers, or cannot start its own', () => {
      expect(servers.length === 0 || !when).toBe(true);
    });
  });
}
