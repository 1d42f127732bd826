/**
 * Certificates of the authorities that servers are verified against. The file is read once, at the start, so that a missing or
 * broken one is told with everything else that is wrong, by the name of its variable and never by its path.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { about, type About, type Reading, type Setting } from './setting.js';

const FILE_BYTES_MAX = 1_048_576;
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The absolute path of a PEM file with one or more certificates. The value is the text in it. */
export function certificateFile(options: About): Setting<string | null> {
  return {
    ...about(options),
    fallback: null,
    shownDefault: 'unset',
    accepts: 'the absolute path of a PEM file, at most 1 MiB',
    read: (raw) => (raw.startsWith('/') ? readCertificates(raw) : { problem: 'must be the absolute path of a PEM file.' }),
  };
}

function readCertificates(path: string): Reading<string> {
  const pem = textOf(path);
  if (pem === null) return { problem: 'names a file that cannot be read, or that has more than 1 MiB.' };
  if (pem.includes('PRIVATE KEY')) return { problem: 'must name a file with certificates only; it has a private key in it.' };
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0 || !blocks.every(isCertificate)) {
    return { problem: 'must name a PEM file with the certificates of the authorities: -----BEGIN CERTIFICATE-----.' };
  }
  return { value: blocks.join('\n') };
}

function textOf(path: string): string | null {
  try {
    return statSync(path).size > FILE_BYTES_MAX ? null : readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch {
    return false;
  }
}
