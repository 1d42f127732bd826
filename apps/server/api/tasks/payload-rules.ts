/**
 * Holds a payload against the schema of its handler, where this process knows one, before anything is stored. A task whose handler is
 * not known here is accepted: a worker holds its payload against the schema before it runs.
 */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { InvalidRequest } from '@app/errors';
import { KnownHandlers } from '@app/handlers';
import { PayloadSchema } from '@app/payloads';
import { escapePointer } from '../request/bind-body.js';

@Injectable()
export class PayloadRules {
  constructor(
    @Inject(KnownHandlers) private readonly known: KnownHandlers,
    @Inject(Config) private readonly config: Config,
  ) {}

  /** Largest payload, in bytes of JSON text. */
  get payloadMaxBytes(): number {
    return this.config.payloadMaxBytes;
  }

  /**
   * @param pointer JSON pointer of the payload in the request
   * @throws InvalidRequest `payload-invalid` with at most 20 problems
   */
  assertFits(name: string, payload: unknown, pointer = '/payload'): void {
    const schema = this.known.find(name)?.payloadSchema;
    const problems = schema === undefined ? [] : PayloadSchema.of(schema).problems(payload);
    if (problems.length === 0) return;
    throw new InvalidRequest(
      'payload-invalid',
      'The payload does not fit the schema of its handler; "errors" says where and why.',
      problems.map(({ path, code, message }) => ({
        pointer: [pointer, ...path.map((step) => escapePointer(String(step)))].join('/'),
        code,
        message,
      })),
    );
  }
}
