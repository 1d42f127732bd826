import { describe, expect, it } from '@jest/globals';
import { isScope, SCOPES, scopesGrantedBy } from './scopes.js';

describe('the grammar of scopes', () => {
  it.each(SCOPES)('grants %s by its own name and nothing else by it', (scope) => {
    expect(scopesGrantedBy(scope)).toEqual([scope]);
  });

  it.each([
    ['tasks:*', ['tasks:read', 'tasks:write', 'tasks:cancel', 'tasks:payload']],
    ['queues:*', ['queues:read', 'queues:manage']],
    ['keys:*', ['keys:manage']],
  ])('grants by %s every action of the resource', (word, scopes) => {
    expect(scopesGrantedBy(word)).toEqual(scopes);
  });

  it.each([
    ...['*', '*:*', '*:read', 'tasks:', 'tasks:re*', 'tasks:r*d', 'task*:read', 'tasks:**', 'tasks:*:*', ':*', ':', ''],
    ...['tasks', 'TASKS:READ', 'Tasks:*', ' tasks:read', 'tasks:read ', 'tasks:read,tasks:write', 'tasks:delete', 'other:*'],
    ...['admin:*', 'admin:', 'adm*', 'ADMIN', '__proto__:*', 'constructor', 'tasks:\u002a\n', 'ｔasks:read'],
  ])('grants nothing by %j', (word) => {
    expect(scopesGrantedBy(word)).toEqual([]);
    expect(isScope(word)).toBe(false);
  });
});
