/**
 * The OpenAPI document, from the decorators of the controllers. What holds for every route is added here and not repeated
 * there: the token and scopes it needs (read from the same metadata as the guard), and the problems it may answer with.
 */
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { routesOf, type Route } from '@app/auth';
import { ProblemResponse } from '../problem/problem.response.js';
import { PROBLEM_MEDIA_TYPE } from '../problem/problem.js';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;

const PREFIX = '/api/';
const DESCRIPTION =
  'Submit tasks, watch them, step in. Errors are problem documents (RFC 9457) with a stable `code`. ' +
  'Send a token or an API key as `Authorization: Bearer …`; each call names the scope it needs.';

const ALWAYS = {
  400: 'The request cannot be read, or a parameter does not do.',
  406: 'The Accept header leaves out JSON.',
  500: 'An error on our side.',
  503: 'Not available at the moment; see Retry-After.',
};
const GUARDED = {
  401: 'No token or API key, or one that is not acceptable.',
  403: 'The token or API key lacks the scope.',
  429: 'More requests than the tenant, the credential or the address may send; see Retry-After.',
};
const METHODS_WITH_BODY = ['POST', 'PUT'];
const WITH_BODY = {
  408: 'The body took too long.',
  413: 'The body or the payload is too large.',
  415: 'Not JSON in UTF-8, or compressed.',
  422: 'Readable, and not acceptable; `errors` says where and why.',
};
const WITH_PARAMETER = { 404: 'No such thing, or it belongs to another tenant.' };

/** The document of the routes under `/api`. */
export function buildOpenApiDocument(app: INestApplication): OpenAPIObject {
  const head = new DocumentBuilder()
    .setTitle('Task Runner X')
    .setDescription(DESCRIPTION)
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT or API key' }, 'bearer')
    .build();
  const document = SwaggerModule.createDocument(app, head, { extraModels: [ProblemResponse] });
  document.paths = Object.fromEntries(Object.entries(document.paths).filter(([path]) => path.startsWith(PREFIX)));
  for (const route of routesOf(app)) {
    const item = document.paths[route.path.replace(/:([A-Za-z]+)/g, '{$1}')];
    const operation = item?.[route.method.toLowerCase() as 'get'];
    if (operation !== undefined) {
      complete(operation, route);
    }
  }
  return document;
}

function complete(operation: Operation, route: Route): void {
  const guarded = route.access !== undefined && route.access !== 'public';
  if (guarded) {
    Object.assign(operation, { security: [{ bearer: [] }], 'x-required-scope': [...route.access].join(' ') });
  }
  const problems: Record<string, string> = {
    ...ALWAYS,
    ...(guarded ? GUARDED : {}),
    ...(route.path.includes(':') ? WITH_PARAMETER : {}),
    ...(METHODS_WITH_BODY.includes(route.method) ? WITH_BODY : {}),
  };
  for (const [status, description] of Object.entries(problems)) {
    operation.responses[status] ??= { description };
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    if (Number(status) >= 400) {
      Object.assign(response ?? {}, { content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } } });
    }
  }
}
