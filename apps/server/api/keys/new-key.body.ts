/** What a new API key may say, and the rotation of one. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { scopesGrantedBy, SCOPES, type NewKey, type Scope } from '@app/auth';
import type { FieldProblem } from '@app/errors';
import { assertAcceptable, bindBody } from '../request/bind-body.js';
import { InstantField, IntegerField, rule, TextField } from '../request/field-rules.js';
import { parseInstant } from '../request/instant.js';
import { ReasonField } from '../tasks/operate.body.js';

const NAME_LENGTH_MAX = 128;
/** What may be written: each scope, and each resource with all its actions. */
const WRITTEN = [...new Set(SCOPES.flatMap((scope) => (scope === 'admin' ? [scope] : [scope, `${scope.split(':')[0]}:*`])))];
/** Ten years: what a setting may allow at most; what it does allow is checked where the key is made. */
const LIFETIME_MAX_MS = 3_650 * 86_400_000;
const OVERLAP_MAX_MS = 90 * 86_400_000;

@ApiSchema({ name: 'NewKey' })
export class NewKeyBody {
  @TextField({ maxLength: NAME_LENGTH_MAX, required: true, doc: 'What it is for, for people.', example: 'nightly import' })
  name!: string;

  @rule('invalid-scopes', isScopeList, `must be a list of 1 to ${SCOPES.length} scopes, each once: RESOURCE:ACTION, RESOURCE:* or admin`)
  @ApiProperty({
    type: 'array',
    items: { type: 'string', enum: WRITTEN },
    minItems: 1,
    maxItems: SCOPES.length,
    uniqueItems: true,
    description:
      'What it may do; nothing that the caller may not. `RESOURCE:*` is every action of the resource that this version knows, and is kept as those.',
    example: ['tasks:write', 'tasks:read'],
  })
  scopes!: string[];

  @InstantField({ doc: 'When it ends; instead of `ttlMs`. 90 days from now unless given, or as long as may be.' })
  expiresAt?: string;

  @IntegerField({ min: 1_000, max: LIFETIME_MAX_MS, doc: 'How long it lives, in ms; instead of `expiresAt`.' })
  ttlMs?: number;

  @ReasonField()
  reason?: string;
}

@ApiSchema({ name: 'RotateKey' })
export class RotateKeyBody {
  @IntegerField({ min: 0, max: OVERLAP_MAX_MS, doc: 'How long the old secret stays good, in ms; 0, which ends it now, unless given.' })
  overlapMs?: number;

  @ReasonField()
  reason?: string;
}

/** @throws InvalidRequest `validation-failed` */
export function readNewKey(input: unknown): NewKey & { readonly reason: string } {
  const { value: body, problems } = bindBody(NewKeyBody, input);
  assertAcceptable(problems.length > 0 ? problems : problemsOf(body));
  return {
    name: body.name,
    scopes: scopesOf(body.scopes),
    expiresAt: parseInstant(body.expiresAt),
    ttlMs: body.ttlMs ?? null,
    reason: body.reason ?? '',
  };
}

/** @throws InvalidRequest `validation-failed` */
export function readRotation(input: unknown): { readonly overlapMs: number; readonly reason: string } {
  const { value: body, problems } = bindBody(RotateKeyBody, input === undefined ? {} : input);
  assertAcceptable(problems);
  return { overlapMs: body.overlapMs ?? 0, reason: body.reason ?? '' };
}

function problemsOf({ expiresAt, ttlMs }: NewKeyBody): FieldProblem[] {
  return expiresAt === undefined || ttlMs === undefined
    ? []
    : [{ pointer: '/ttlMs', code: 'conflicting-fields', message: 'give expiresAt or ttlMs, not both' }];
}

function scopesOf(words: readonly string[]): Scope[] {
  return [...new Set(words.flatMap(scopesGrantedBy))];
}

function isScopeList(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > SCOPES.length) {
    return false;
  }
  const words: readonly unknown[] = value;
  return new Set(words).size === words.length && words.every((word) => typeof word === 'string' && scopesGrantedBy(word).length > 0);
}
