/**
 * The scopes a credential may carry, and the grammar of what grants them. A grant is `resource:action`, or `resource:*` for every
 * action of one resource; `admin` is the one scope without a resource. Nothing else is a grant: not `*`, not `*:*`, not a part of
 * a word. A route names the scopes it needs; none implies another, and `admin` only adds what a route says it adds, so a
 * forgotten implication cannot widen a credential.
 */
export const SCOPES = [
  'tasks:read',
  'tasks:write',
  'tasks:cancel',
  'tasks:payload',
  'queues:read',
  'queues:manage',
  'schedules:read',
  'schedules:write',
  'workers:read',
  'keys:manage',
  'admin',
] as const;

export type Scope = (typeof SCOPES)[number];

const WHOLE_RESOURCE = /^([a-z]+:)\*$/;

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

/**
 * The scopes that one word grants: itself, or for `resource:*` all that this version knows of the resource. None where the word is
 * no grant, or is one of another version: who verifies passes over such a word, who issues refuses it.
 */
export function scopesGrantedBy(word: string): readonly Scope[] {
  if (isScope(word)) {
    return [word];
  }
  const resource = WHOLE_RESOURCE.exec(word)?.[1];
  return resource === undefined ? [] : SCOPES.filter((scope) => scope.startsWith(resource));
}
