/** Certificates for servers of tests, made by `openssl` when they are needed: no private key lies in the project. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  /** The PEM file of the authority's own certificate. */
  readonly file: string;
  /** A certificate of this authority for one name or address, valid from now on for so many days (negative: it has expired). */
  issue(name: string, days?: number): KeyPair;
}

/** An authority whose files lie in a folder of the test's. */
export function makeAuthority(directory: string): Authority {
  const at = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe', timeout: 20_000 });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=Authority of a test');
  return {
    file: at('ca.pem'),
    issue: (name, days = 2) => {
      openssl('req', ...newKey, '-keyout', at('leaf.key'), '-out', at('leaf.csr'), '-subj', '/CN=leaf');
      writeFileSync(at('leaf.ext'), `subjectAltName=${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}\n`);
      const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('leaf.ext')];
      openssl('x509', '-req', '-in', at('leaf.csr'), ...signer, '-days', String(days), '-out', at('leaf.pem'));
      return { key: readFileSync(at('leaf.key'), 'utf8'), cert: readFileSync(at('leaf.pem'), 'utf8') };
    },
  };
}
