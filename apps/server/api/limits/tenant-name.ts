/** Reads a tenant's name from a path, with the rule of the claim, or the word for every tenant. */
import { Injectable, type PipeTransform } from '@nestjs/common';
import { InvalidRequest } from '@app/errors';
import { EVERY_TENANT } from '@app/limits';
import { isName, isReservedName } from '../request/field-rules.js';

const LENGTH_MAX = 64;

@Injectable()
export class TenantName implements PipeTransform<string, string> {
  /** @throws InvalidRequest `validation-failed` */
  transform(name: string): string {
    if (name === EVERY_TENANT || (isName(name, LENGTH_MAX) && !isReservedName(name))) {
      return name;
    }
    const message = `must be 1 to ${LENGTH_MAX} of A-Z a-z 0-9 . _ : -, or ${EVERY_TENANT}, and no reserved word`;
    throw new InvalidRequest('validation-failed', `The name of the tenant in the path ${message}.`, [
      { pointer: 'tenant', code: 'invalid-name', message },
    ]);
  }
}
