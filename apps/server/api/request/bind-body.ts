/**
 * Moves a parsed body into an instance of its class, field by field, and checks it. It stands in for Nest's own validation
 * pipe with the same strictness (only known fields, unknown ones refused, no conversion) for two reasons: that pipe copies
 * the whole body and drops keys such as `constructor` from inside a payload, which is the tenant's data and none of ours;
 * and class-validator's own check for unknown fields does not see names that every object inherits.
 */
import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { InvalidRequest, type FieldProblem } from '@app/errors';
import { isJsonObject } from './field-rules.js';
import { holdsAllRules } from './quick-check.js';

const NESTED = 'api:nested';
const SHOWN_PROBLEMS = 20;
const SHOWN_KEY_LENGTH = 64;

type BodyClass<T extends object> = new () => T;

export interface Bound<T> {
  readonly value: T;
  readonly problems: readonly FieldProblem[];
}

/** The field holds an object that is bound to a class of its own. */
export function Nested(type: BodyClass<object>): PropertyDecorator {
  return (target, property) => Reflect.defineMetadata(NESTED, type, target, property);
}

/**
 * @param pointer JSON pointer of `input` in the request
 * @param refused fields that are known and refused, with what to say about them
 */
export function bindBody<T extends object>(
  type: BodyClass<T>,
  input: unknown,
  pointer = '',
  refused: Readonly<Record<string, string>> = {},
): Bound<T> {
  const value = new type();
  if (!isJsonObject(input)) {
    return { value, problems: [{ pointer, code: 'not-an-object', message: 'must be an object' }] };
  }
  const fields = fieldsOf(type);
  const problems: FieldProblem[] = [];
  for (const key of Object.keys(input)) {
    const nested = fields.get(key);
    if (nested === undefined) {
      problems.push(unknownField(within(pointer, key), Object.hasOwn(refused, key) ? refused[key] : undefined));
    } else if (nested === null) {
      Reflect.set(value, key, input[key]);
    } else {
      const bound = bindBody(nested, input[key], within(pointer, key));
      problems.push(...bound.problems);
      Reflect.set(value, key, bound.value);
    }
  }
  if (holdsAllRules(type, value)) return { value, problems };
  const errors = validateSync(value, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
  });
  return { value, problems: [...problems, ...errors.flatMap((error) => problemsOf(error, pointer))] };
}

/** @throws InvalidRequest `validation-failed` where there is any problem */
export function assertAcceptable(problems: readonly FieldProblem[]): void {
  if (problems.length > 0) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
    throw new InvalidRequest(
      'validation-failed',
      `The request has ${count}; "errors" says where and what.`,
      problems.slice(0, SHOWN_PROBLEMS),
    );
  }
}

/** The fields of a class, each with the class that it is bound to, or null. */
type Fields = ReadonlyMap<string, BodyClass<object> | null>;

const fieldsByClass = new WeakMap<BodyClass<object>, Fields>();

function fieldsOf(type: BodyClass<object>): Fields {
  const found = fieldsByClass.get(type);
  if (found !== undefined) {
    return found;
  }
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
  const fields = new Map(
    rules.map(({ propertyName }) => [
      propertyName,
      (Reflect.getMetadata(NESTED, type.prototype as object, propertyName) as BodyClass<object> | undefined) ?? null,
    ]),
  );
  fieldsByClass.set(type, fields);
  return fields;
}

function unknownField(pointer: string, why: string | undefined): FieldProblem {
  return why === undefined
    ? { pointer, code: 'unknown-field', message: 'is not a field of this request' }
    : { pointer, code: 'not-available', message: why };
}

function problemsOf(error: ValidationError, pointer: string): FieldProblem[] {
  const at = within(pointer, error.property);
  return Object.entries(error.constraints ?? {}).map(([code, message]) => ({ pointer: at, code, message }));
}

const within = (pointer: string, key: string): string => `${pointer}/${escapePointer(key)}`;

/** For a JSON pointer; bounded, and without characters that do something to a terminal or a log. */
export function escapePointer(key: string): string {
  const shown = key.length > SHOWN_KEY_LENGTH ? `${key.slice(0, SHOWN_KEY_LENGTH)}…` : key;
  const printable = shown.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return printable.replaceAll('~', '~0').replaceAll('/', '~1');
}
