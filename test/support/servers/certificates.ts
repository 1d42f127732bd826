/** Certificates made for one test: two authorities that know nothing of each other, and servers with certificates from the first. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './programs.js';

export interface Identity {
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
}

export function canMakeCertificates(): boolean {
  return findProgram('openssl') !== null;
}

export class Authority {
  readonly certificate: string;
  private readonly key: string;

  constructor(
    private readonly directory: string,
    private readonly name: string,
  ) {
    this.certificate = join(directory, `${name}.pem`);
    this.key = join(directory, `${name}.key`);
    openssl('req', '-x509', ...NEW_KEY, '-days', '2', '-subj', `/CN=${name}`, '-keyout', this.key, '-out', this.certificate);
  }

  /** A server that may call itself by these names. */
  issue(...names: readonly string[]): Identity {
    const base = join(this.directory, `${this.name}-${names.join('-')}`);
    const [certificate, key, request, extensions] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.ext`];
    writeFileSync(extensions, `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\n`);
    openssl('req', ...NEW_KEY, '-subj', `/CN=${names[0] ?? ''}`, '-keyout', key, '-out', request);
    const signed = ['-CA', this.certificate, '-CAkey', this.key, '-CAcreateserial', '-days', '2', '-extfile', extensions];
    openssl('x509', '-req', '-in', request, ...signed, '-out', certificate);
    return { certificate, key };
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...words: readonly string[]): void {
  const program = findProgram('openssl');
  if (program === null) throw new Error('openssl is not installed on this machine');
  execFileSync(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
}
