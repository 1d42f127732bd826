/** Holds answers against the OpenAPI document. Objects are closed: a field that the document does not name is a finding. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { OpenApi, Operation, Schema } from './openapi.js';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

export type AnswerCheck = (operation: Operation, answer: Answer) => string | null;

/** Gives what is wrong with an answer, or null. */
export function answerCheck({ components }: OpenApi): AnswerCheck {
  const ajv = new Ajv2020({ strict: false, allErrors: false, logger: false });
  formats.default(ajv);
  const schemas = Object.fromEntries(Object.entries(components.schemas).map(([name, schema]) => [name, translated(schema)]));
  ajv.addSchema({ $id: 'https://api.invalid/openapi', components: { schemas } });
  const compiled = new Map<string, ReturnType<typeof ajv.compile>>();
  return ({ method, path, responses }, { status, contentType, text }) => {
    const response = responses[String(status)];
    if (response === undefined) return `${status} is not documented`;
    const media = contentType.split(';')[0]!;
    const schema = response.content?.[media]?.schema;
    if (schema === undefined) return `${status} is not documented as ${media}`;
    const key = `${method} ${path} ${status}`;
    const validate = compiled.get(key) ?? ajv.compile(translated(schema));
    compiled.set(key, validate);
    return validate(JSON.parse(text)) ? null : `${status} is not as documented: ${ajv.errorsText(validate.errors)}`;
  };
}

/** From the dialect of OpenAPI 3.0 to JSON Schema. */
function translated(schema: Schema): object {
  const { nullable, $ref, ...rest } = schema;
  const open = Object.fromEntries(Object.entries(rest).map(([keyword, value]) => [keyword, translatedKeyword(keyword, value)]));
  const closed = rest.properties !== undefined && rest.additionalProperties === undefined ? { ...open, additionalProperties: false } : open;
  const whole = $ref === undefined ? closed : { ...closed, $ref: `https://api.invalid/openapi${$ref}` };
  return nullable === true ? { anyOf: [{ type: 'null' }, whole] } : whole;
}

function translatedKeyword(keyword: string, value: unknown): unknown {
  switch (keyword) {
    case 'items':
      return translated(value as Schema);
    case 'oneOf':
    case 'anyOf':
    case 'allOf':
      return (value as Schema[]).map(translated);
    case 'properties':
      return Object.fromEntries(Object.entries(value as Record<string, Schema>).map(([name, each]) => [name, translated(each)]));
    case 'additionalProperties':
      return typeof value === 'boolean' ? value : translated(value as Schema);
    default:
      return value;
  }
}
