/**
 * Reads the body of a route that takes one. It stands behind the guard, as another one, so that nobody without a token
 * and the right scope can make this process read, keep or parse a single byte; Nest's own parser is switched off for that
 * reason. What it accepts is JSON in UTF-8, uncompressed, within the size the route allows.
 */
import { Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Config } from '@app/config';
import { MalformedRequest } from '@app/errors';
import { TASK_LIMITS } from '@app/tasks';
import { UnsupportedMedia } from '../problem/api-errors.js';
import { hasBody, readBytes } from './read-bytes.js';
import { parseStrictJson } from './strict-json.js';

const BODY = 'api:body';

/**
 * `task`: one object, with room for a payload. `batch`: many. `small`: one object without a payload. A `?` behind it:
 * nothing at all will do as well.
 */
export type BodyKind = Kind | 'task?' | 'small?';
type Kind = 'task' | 'batch' | 'small';

/** Room for everything in a single submission that is not its payload, in bytes. */
const ENVELOPE_BYTES = 16_384;
/** How many levels of a body lie outside the payload: the task itself, or the batch, its list and the task. */
const OUTER_DEPTH = { task: 1, small: 1, batch: 3 } as const;

const JSON_TYPE = 'application/json';

/** Says what body the route takes. A route without this mark never looks at its body. */
export const ReadsBody = (kind: BodyKind): MethodDecorator => SetMetadata(BODY, kind);

@Injectable()
export class BodyReader implements CanActivate {
  constructor(@Inject(Config) private readonly config: Config) {}

  /** @throws MalformedRequest, InvalidRequest, UnsupportedMedia, PayloadTooLarge, RequestTimeoutException */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const kind = Reflect.getMetadata(BODY, context.getHandler()) as BodyKind | undefined;
    if (kind === undefined) {
      return true;
    }
    const request = context.switchToHttp().getRequest<Request>();
    return this.read(request, kind).then((body) => {
      request.body = body;
      return true;
    });
  }

  private async read(request: Request, marked: BodyKind): Promise<unknown> {
    const isOptional = marked.endsWith('?');
    const kind = (isOptional ? marked.slice(0, -1) : marked) as Kind;
    if (!hasBody(request)) {
      if (isOptional) {
        return undefined;
      }
      throw new MalformedRequest('malformed-json', 'The body is empty. Send a JSON object.');
    }
    const limits = { maxBytes: this.maxBytes(kind), deadlineMs: this.config.httpBodyTimeoutMs };
    assertJson(request);
    const bytes = await readBytes(request, limits);
    if (isOptional && bytes.length === 0) {
      return undefined;
    }
    return parseStrictJson(bytes, {
      maxDepth: TASK_LIMITS.payloadDepthMax + OUTER_DEPTH[kind],
      maxKeys: this.config.bodyKeysMax,
      maxValues: this.config.bodyValuesMax,
    });
  }

  private maxBytes(kind: Kind): number {
    switch (kind) {
      case 'task':
        return this.config.payloadMaxBytes + ENVELOPE_BYTES;
      case 'batch':
        return this.config.batchMaxBytes;
      case 'small':
        return ENVELOPE_BYTES;
    }
  }
}

function assertJson(request: Request): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new UnsupportedMedia('unsupported-encoding', 'Compressed bodies are not accepted. Send the body without Content-Encoding.');
  }
  const { 'content-type': contentType = '' } = request.headers;
  if (contentType === JSON_TYPE) return;
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  if (type !== JSON_TYPE) {
    throw new UnsupportedMedia('unsupported-media-type', 'Send the body as "Content-Type: application/json".');
  }
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new UnsupportedMedia('unsupported-charset', 'Send the body in UTF-8.');
  }
}
