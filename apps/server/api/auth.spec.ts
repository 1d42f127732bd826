import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { routesOf, SCOPES } from '@app/auth';
import { startFront, type Front } from '../../../test/support/front.js';

let front: Front;
beforeAll(async () => {
  front = await startFront();
});
afterAll(() => front.close());

describe('every route', () => {
  it('refuses a call without a token, and one without the scope', async () => {
    const routes = routesOf(front.app);
    expect(routes.length).toBeGreaterThan(8);
    for (const { method, path, access } of routes) {
      const url = `${front.url}${path.replace(':id', '0190a8f0-0000-7000-8000-000000000000').replace(':name', 'default')}`;
      const bare = await fetch(url, { method });
      expect([path, bare.status]).toEqual([path, 401]);
      const others = SCOPES.filter((scope) => access === 'public' || access?.includes(scope) !== true);
      const scopeless = await fetch(url, { method, headers: { authorization: `Bearer ${front.token({ scopes: others })}` } });
      expect([path, scopeless.status, ((await scopeless.json()) as { code: string }).code]).toEqual([path, 403, 'insufficient-scope']);
    }
  });
});
