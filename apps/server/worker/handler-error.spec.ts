import { describe, expect, it } from '@jest/globals';
import { handlerError } from './handler-error.js';

const CANARY = 'canary of a tenant';

describe('an error of a handler in the log', () => {
  it('says what it is and where it came from, and nothing of its message', () => {
    const shown = handlerError(
      Object.assign(new TypeError(`${CANARY}\n    at ${CANARY} (a.mjs:1:1)`), { code: 'E_CARD', payload: CANARY }),
    );
    expect(shown).toMatchObject({ type: 'TypeError', code: 'E_CARD' });
    expect(shown.frames[0]).toContain('handler-error.spec');
    expect(JSON.stringify(shown)).not.toContain(CANARY);
  });

  it('shows no lines where its message is no longer that of its stack', () => {
    const error = { name: 'Error', message: 'something else', stack: `Error: a\n    at ${CANARY}\n    at run (a.mjs:1:1)` };
    expect(handlerError(error)).toEqual({ type: 'Error', frames: [] });
  });

  it('lets nothing through that does not let itself be looked at', () => {
    const hidden = new Proxy(
      {},
      {
        get: () => {
          throw new Error(CANARY);
        },
      },
    );
    expect(handlerError(hidden)).toEqual({ type: 'object', frames: [] });
  });

  it.each([CANARY, { name: CANARY, code: CANARY, message: CANARY, stack: CANARY }, { stack: 7 }, null, undefined, 7])(
    'is bounded and silent for %j as well',
    (thrown) => {
      expect(JSON.stringify(handlerError(thrown))).not.toContain(CANARY);
    },
  );
});
