import { describe, expect, it } from '@jest/globals';
import { Allow, IsString, ValidateBy, ValidateNested, validateSync } from 'class-validator';
import { NewBatchTaskBody, NewTaskBody, RetryBody } from '../tasks/new-task.body.js';
import { IntegerField, NameField, rule } from './field-rules.js';
import { holdsAllRules } from './quick-check.js';

function filled<T extends object>(type: new () => T, fields: object): T {
  return Object.assign(new type(), fields);
}

function finds(value: object): boolean {
  return validateSync(value, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true }).length > 0;
}

describe('a quick check', () => {
  const values = [
    undefined,
    null,
    true,
    0,
    1,
    -1,
    1.5,
    2 ** 60,
    '',
    'echo',
    'a b',
    'constructor',
    '2030-01-31T08:00:00Z',
    [],
    ['a', 'a'],
    {},
  ];
  const ofTask = ['name', 'payload', 'queue', 'priority', 'runAt', 'delayMs', 'maxAttempts', 'timeoutMs', 'tags', 'metadata'];

  it.each<[string, new () => object, object, string[]]>([
    ['a task', NewTaskBody, { name: 'echo' }, ofTask],
    ['a task of a batch', NewBatchTaskBody, { name: 'echo' }, [...ofTask, 'idempotencyKey']],
    ['a retry', RetryBody, {}, ['backoff', 'baseMs', 'maxMs', 'jitter']],
  ])('of %s finds what class-validator finds', (_what, type, good, fields) => {
    const bodies = fields.flatMap((field) => values.map((value) => filled(type, { ...good, [field]: value })));
    const refused = bodies.map(finds);
    expect(bodies.map((body) => !holdsAllRules(type, body))).toEqual(refused);
    expect(new Set(refused)).toEqual(new Set([true, false]));
  });

  it('asks every rule of a field that is there, and none of one that is not', () => {
    const asked: string[] = [];
    const noting = (name: string): PropertyDecorator => rule(name, () => asked.push(name) > 0, 'never');
    class Body {
      @noting('one')
      @noting('two')
      there?: string;

      @IntegerField({ min: 0, max: 1, doc: 'Not there.' })
      absent?: number;
    }
    expect(holdsAllRules(Body, filled(Body, { there: 'x' }))).toBe(true);
    expect(asked.sort()).toEqual(['one', 'two']);
  });

  it('knows the rules that a class has inherited', () => {
    class Named {
      @NameField({ maxLength: 3, required: true, doc: 'A name.' })
      name!: string;
    }
    class Child extends Named {
      @Allow()
      more?: unknown;
    }
    expect(holdsAllRules(Child, filled(Child, { name: 'abc', more: 1 }))).toBe(true);
    expect(holdsAllRules(Child, filled(Child, { name: 'abcd' }))).toBe(false);
  });

  it('leaves to class-validator what it does not know', () => {
    class OfEach {
      @IsString({ each: true })
      all = ['a'];
    }
    class Within {
      @ValidateNested()
      inner = new OfEach();
    }
    class Sometimes {
      @ValidateBy({ name: 'sometimes', validator: { validate: () => true } }, { validateIf: () => false })
      field = 1;
    }
    class Later {
      @ValidateBy({ name: 'later', validator: { validate: () => Promise.resolve(true) } })
      field = 1;
    }
    class Nothing {}
    for (const type of [OfEach, Within, Sometimes, Later, Nothing])
      expect([type.name, holdsAllRules<object>(type, new type())]).toEqual([type.name, false]);
  });
});
