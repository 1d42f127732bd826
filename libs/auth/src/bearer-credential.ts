/**
 * The credential in an `Authorization` header. Who limits callers without one and who verifies it must agree on what one is, or a header
 * that is none to the second would let its sender past the first.
 */
const BEARER = /^bearer +(\S+) *$/i;

/** What stands behind `Bearer`; null where the header is missing or of another form. */
export function bearerCredential(header: string | undefined): string | null {
  return BEARER.exec(header ?? '')?.[1] ?? null;
}
