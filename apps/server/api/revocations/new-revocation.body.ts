/** What an administrator may say when revoking tokens. */
import { ApiSchema } from '@nestjs/swagger';
import { isTokenWord } from '@app/auth';
import { field, InstantField, rule } from '../request/field-rules.js';
import { ReasonField } from '../tasks/operate.body.js';

const WORD = { type: 'string', minLength: 1, maxLength: 128, pattern: '^[ -~]+$' };
const isWord = (): PropertyDecorator => rule('invalid-text', isTokenWord, 'must be a text of 1 to 128 printable characters');

@ApiSchema({ name: 'NewRevocation', description: 'Exactly one of `tokenId`, `subject` and `everything`.' })
export class NewRevocationBody {
  @field({ doc: 'The `jti` claim of one token.' }, WORD, isWord())
  tokenId?: string;

  @field({ doc: 'The `sub` claim: all tokens of this subject that were issued before `before`.' }, WORD, isWord())
  subject?: string;

  @field(
    { doc: 'All tokens of the tenant that were issued before `before`, yours too.' },
    { type: 'boolean', enum: [true] },
    rule('unknown-value', (value) => value === true, 'must be true'),
  )
  everything?: true;

  @InstantField({ doc: 'Now, where it is not given. A token counts as issued at the beginning of the second in its `iat`.' })
  before?: string;

  @ReasonField(true)
  reason!: string;
}
