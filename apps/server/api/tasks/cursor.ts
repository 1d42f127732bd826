/**
 * The cursor of a list: the id of the last row looked at, and a mark of the tenant, the list and the filters it was made for, so that
 * following a page with other filters is refused and never answered with a wrong page. It gives no right to anything: the
 * tenant always comes from the token.
 */
import { createHash } from 'node:crypto';
import { MalformedRequest } from '@app/errors';
import { canonicalJson } from './idempotency.js';

const ID_BYTES = 16;
const MARK_BYTES = 16;

export function writeCursor(tenant: string, list: object, id: string): string {
  return Buffer.concat([Buffer.from(id.replaceAll('-', ''), 'hex'), markOf(tenant, list)]).toString('base64url');
}

/** @returns the id in it. @throws MalformedRequest `invalid-cursor` */
export function readCursor(tenant: string, list: object, cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url');
  const canonical = bytes.length === ID_BYTES + MARK_BYTES && bytes.toString('base64url') === cursor;
  if (!canonical || !bytes.subarray(ID_BYTES).equals(markOf(tenant, list))) {
    throw new MalformedRequest(
      'invalid-cursor',
      'The cursor does not belong to this list. Start again without it, or repeat the filters it came with.',
      {
        fields: [{ pointer: 'cursor', code: 'invalid-cursor', message: 'not acceptable' }],
      },
    );
  }
  return bytes.toString('hex', 0, ID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function markOf(tenant: string, list: object): Buffer {
  return createHash('sha256')
    .update(canonicalJson([tenant, list]))
    .digest()
    .subarray(0, MARK_BYTES);
}
