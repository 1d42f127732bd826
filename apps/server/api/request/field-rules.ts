/**
 * The rules a field of a body may have. Each is one decorator that both checks the value and describes it in the OpenAPI
 * document, so the document cannot promise what is not enforced. The name of a rule is the code a client gets to see.
 * A field that is absent is not checked; one that is present, even as null, is. Nothing is converted.
 */
import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import { ValidateBy, ValidateIf } from 'class-validator';
import { parseInstant } from './instant.js';

export interface FieldOptions {
  /** For the document: what the field means, with its unit. */
  readonly doc: string;
  readonly required?: boolean;
  readonly example?: unknown;
}

/** The general form: `accepts` decides, `message` says what would be accepted. */
export function rule(code: string, accepts: (value: unknown) => boolean, message: string): PropertyDecorator {
  return ValidateBy({ name: code, validator: { validate: accepts, defaultMessage: () => message } });
}

/** Puts rules and description together; the first rule that fails is the one that is told. */
export function field(options: FieldOptions, schema: Record<string, unknown>, ...rules: PropertyDecorator[]): PropertyDecorator {
  const { doc, required = false, example } = options;
  const described = { description: doc, ...(example === undefined ? {} : { example }), ...schema } as ApiPropertyOptions;
  const presence = required ? ApiProperty(described) : applyDecorators(ApiPropertyOptional(described), ValidateIf(isPresent));
  return applyDecorators(...rules, presence);
}

export function IntegerField(options: FieldOptions & { readonly min: number; readonly max: number }): PropertyDecorator {
  const { min, max } = options;
  return field(
    options,
    { type: 'integer', minimum: min, maximum: max },
    rule(
      'out-of-range',
      (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
      `must be a whole number from ${min} to ${max}`,
    ),
  );
}

export function NumberField(options: FieldOptions & { readonly min: number; readonly max: number }): PropertyDecorator {
  const { min, max } = options;
  return field(
    options,
    { type: 'number', minimum: min, maximum: max },
    rule('out-of-range', (value) => typeof value === 'number' && value >= min && value <= max, `must be a number from ${min} to ${max}`),
  );
}

export function ChoiceField(options: FieldOptions & { readonly values: readonly string[] }): PropertyDecorator {
  return field(
    options,
    { type: 'string', enum: [...options.values] },
    rule(
      'unknown-value',
      (value) => typeof value === 'string' && options.values.includes(value),
      `must be one of ${options.values.join(', ')}`,
    ),
  );
}

/**
 * Words of a person: 1 to `maxLength` characters, not only spaces. Of the control characters only line breaks and tabs; none that
 * turns the direction of writing, which would show a reader another text than was written; and none that Unicode reserves for itself.
 * Words are kept as they are written and not normalised.
 */
export function TextField(options: FieldOptions & { readonly maxLength: number }): PropertyDecorator {
  const { maxLength } = options;
  const isText = (value: unknown): boolean =>
    typeof value === 'string' && value.trim() !== '' && isWithin(value, maxLength) && !NOT_IN_TEXT.test(value);
  const message = `must be a text of 1 to ${maxLength} characters, not only spaces, without characters that control or turn the text`;
  return field(options, { type: 'string', minLength: 1, maxLength }, rule('invalid-text', isText, message));
}

const NOT_IN_TEXT = /[^\P{Cc}\r\n\t]|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\p{Noncharacter_Code_Point}|\p{Cs}/u;

/** Counts characters as the description and the database do, and not the halves of those beyond the first 65,536. */
function isWithin(text: string, maxLength: number): boolean {
  return text.length <= 2 * maxLength && Array.from(text).length <= maxLength;
}

export function BooleanField(options: FieldOptions): PropertyDecorator {
  return field(
    options,
    { type: 'boolean' },
    rule('unknown-value', (value) => typeof value === 'boolean', 'must be true or false'),
  );
}

export function InstantField(options: FieldOptions): PropertyDecorator {
  return field(
    { example: '2030-01-31T08:00:00Z', ...options },
    { type: 'string', format: 'date-time' },
    rule(
      'invalid-timestamp',
      (value) => parseInstant(value) !== null,
      'must be an existing time in ISO 8601 with offset, such as 2030-01-31T08:00:00Z',
    ),
  );
}

/** A name in words of the document, for parameters of a path or query as well. */
export const nameSchema = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength, pattern: '^[A-Za-z0-9._:-]+$' }) as const;

/** 1 to `maxLength` of `[A-Za-z0-9._:-]`. */
export function NameField(options: FieldOptions & { readonly maxLength: number }): PropertyDecorator {
  const { maxLength } = options;
  return field(
    options,
    nameSchema(maxLength),
    rule('reserved-name', (value) => !isReservedName(value), 'is a reserved word; choose another name'),
    rule('invalid-name', (value) => isName(value, maxLength), `must be a text of 1 to ${maxLength} of A-Z a-z 0-9 . _ : -`),
  );
}

export function isName(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength && /^[A-Za-z0-9._:-]+$/.test(value);
}

/** Words that would be harmless here and a trap for anybody who keys a plain object by them. */
const RESERVED: ReadonlySet<string> = new Set(['prototype', ...Object.getOwnPropertyNames(Object.prototype)]);

export function isReservedName(value: unknown): boolean {
  return typeof value === 'string' && RESERVED.has(value);
}

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPresent(_object: object, value: unknown): boolean {
  return value !== undefined;
}
