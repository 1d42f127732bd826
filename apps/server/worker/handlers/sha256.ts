/** Returns the SHA-256 of a text, so that a result can be checked by anybody. */
import { createHash } from 'node:crypto';
import { defineHandler, PermanentError } from '@app/handlers';

export const sha256 = defineHandler({
  name: 'sha256',
  run: (payload) => ({ digest: createHash('sha256').update(textOf(payload), 'utf8').digest('hex') }),
});

function textOf(payload: unknown): string {
  if (typeof payload === 'string') return payload;
  if (typeof payload === 'object' && payload !== null && 'text' in payload && Object.keys(payload).length === 1) {
    if (typeof payload.text === 'string') return payload.text;
  }
  throw new PermanentError('The payload must be a text, or an object { "text": … } with a text and nothing else.', {
    code: 'invalid-payload',
  });
}
