/**
 * Secrets that slipped into a file. What looks like the key of a known service is always one; what is called a secret and looks
 * random is one unless it is written to be recognised as a dummy.
 */
import type { Finding, SourceTree } from '../source-tree.js';

/** Spelt in pieces, or this file would break its own rule. */
const SHAPES: readonly RegExp[] = [
  new RegExp('-----BEGIN [A-Z ]*' + 'PRIVATE KEY-----\\s*[A-Za-z0-9+/=\\s]{64,}'),
  new RegExp('\\b(AK' + 'IA|AS' + 'IA)[0-9A-Z]{16}\\b'),
  new RegExp('\\b(gh[opsu]|github_' + 'pat)_[A-Za-z0-9_]{30,}'),
  new RegExp('\\bglpat' + '-[A-Za-z0-9_-]{20}'),
  new RegExp('\\bnpm' + '_[A-Za-z0-9]{36}\\b'),
  new RegExp('\\bxox' + '[abprs]-[A-Za-z0-9-]{10,}'),
  new RegExp('\\b[rs]k_' + 'live_[A-Za-z0-9]{16,}'),
  new RegExp('\\bAI' + 'za[A-Za-z0-9_-]{35}\\b'),
  new RegExp('\\bwh' + 'sec_[A-Za-z0-9+/=]{24,}'),
  new RegExp('\\beyJ[A-Za-z0-9_-]{10,}\\.' + 'eyJ[A-Za-z0-9_-]{10,}\\.[A-Za-z0-9_-]{30,}'),
];
const NAMED = /(?:secret|passw(?:or)?d|token|api[-_]?key|credential)["']?\s*[:=]\s*["'`]([A-Za-z0-9+/=_-]{20,})["'`]/gi;
const DUMMY = /test|example|only|dummy|hush|hunter|canary|x{8}|s{8}|0123456789/i;
const BITS_PER_CHARACTER_MIN = 3.6;

export function secrets(tree: SourceTree): Finding[] {
  return [...tree.values()].flatMap(({ path, text }) => {
    const isShaped = SHAPES.some((shape) => shape.test(text));
    const isNamed = [...text.matchAll(NAMED)].some(
      ([, value = '']) => !DUMMY.test(value) && bitsPerCharacter(value) > BITS_PER_CHARACTER_MIN,
    );
    return isShaped || isNamed ? [{ path, advice: 'holds what looks like a secret: revoke it, and take it from the environment' }] : [];
  });
}

/** Shannon's, which is low for words and high for what a generator made. */
function bitsPerCharacter(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - (count / text.length) * Math.log2(count / text.length), 0);
}
