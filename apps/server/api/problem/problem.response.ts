/** The problem document in words of the OpenAPI document. */
import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'FieldProblem' })
export class FieldProblemResponse {
  @ApiProperty({ description: 'JSON pointer into the body, or the name of a query parameter or header.' })
  pointer!: string;

  @ApiProperty({ description: 'Stable, in kebab-case.' })
  code!: string;

  @ApiProperty()
  message!: string;
}

@ApiSchema({ name: 'Problem', description: 'RFC 9457. `code` is stable; docs/errors.md lists every one.' })
export class ProblemResponse {
  @ApiProperty({ example: 'urn:task-runner-x:problem:validation-failed' })
  type!: string;

  @ApiProperty()
  title!: string;

  @ApiProperty({ type: 'integer' })
  status!: number;

  @ApiProperty({ description: 'What to do.' })
  detail!: string;

  @ApiProperty({ example: 'validation-failed' })
  code!: string;

  @ApiProperty()
  requestId!: string;

  @ApiPropertyOptional({ type: [FieldProblemResponse], maxItems: 20 })
  errors?: FieldProblemResponse[];
}
