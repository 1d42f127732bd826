/**
 * The scopes a token may carry. A route names the ones it needs; none implies another, and `admin` only adds what a route
 * says it adds (pausing a queue for all tenants), so a forgotten implication cannot widen a token.
 */
export const SCOPES = [
  'tasks:read',
  'tasks:write',
  'tasks:cancel',
  'queues:read',
  'queues:manage',
  'schedules:read',
  'schedules:write',
  'workers:read',
  'admin',
] as const;

export type Scope = (typeof SCOPES)[number];

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
