import { describe, expect, it } from '@jest/globals';
import { serverAdvice } from './redis-advice.js';

const info = (version: string, role = 'master'): string =>
  `# Server\r\nredis_version:${version}\r\nos:Linux\r\n# Replication\r\nrole:${role}\r\nmaster_replid:1\r\n`;

describe('a Redis that works', () => {
  it.each(['6.2.0', '6.10.1', '7.0.15', '8.2.1', '10.0.0'])('of version %s is left in peace', (version) => {
    expect(serverAdvice(info(version))).toEqual([]);
  });

  it.each(['2.8.24', '5.0.14', '6.0.16', '6.1.240'])('of version %s is too old, and its version is not told', (version) => {
    expect(serverAdvice(info(version))).toEqual([expect.stringContaining('older than 6.2')]);
    expect(serverAdvice(info(version)).join()).not.toContain(version);
  });

  it('is told of where it is a replica', () => {
    expect(serverAdvice(info('7.2.0', 'slave'))).toEqual([expect.stringContaining('is a replica')]);
  });

  it('that says nothing of itself is left in peace', () => {
    expect(serverAdvice('')).toEqual([]);
  });
});
