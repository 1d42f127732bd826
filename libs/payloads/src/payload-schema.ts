/**
 * What a payload has to look like for one handler: a JSON Schema (draft 2020-12), checked and compiled once. Compiled schemas are
 * remembered by the frozen object they come from, so whoever holds a handler's definition can ask without a register of its own.
 */
import { compileSchema } from './compile.js';
import { OutOfSteps, PROBLEMS_MAX, Run, STEPS_MAX, type Check, type SchemaProblem } from './run.js';

const TEXT_MAX = 65_536;
const TOO_COMPLEX: SchemaProblem = { path: [], code: 'too-complex', message: `takes more than ${STEPS_MAX} steps to check` };

/** A schema that cannot be used; `problems` says everything that is wrong with it. */
export class InvalidSchema extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'InvalidSchema';
  }
}

export class PayloadSchema {
  private constructor(private readonly check: Check) {}

  /**
   * @param schema anything; what is no plain JSON of at most 65,536 characters is refused.
   * @throws InvalidSchema
   */
  static of(schema: object): PayloadSchema {
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    const { check, problems } = compileSchema(plain(schema));
    if (problems.length > 0) throw new InvalidSchema(problems);
    const made = new PayloadSchema(check);
    if (Object.isFrozen(schema)) compiled.set(schema, made);
    return made;
  }

  /** What is wrong with the payload, at most 20 problems; nothing where it fits. Takes a bounded time whatever the payload is. */
  problems(payload: unknown): readonly SchemaProblem[] {
    const run = new Run();
    try {
      this.check(payload, run);
    } catch (error) {
      if (error instanceof OutOfSteps) return [...run.problems.slice(0, PROBLEMS_MAX - 1), TOO_COMPLEX];
      throw error;
    }
    return run.problems;
  }
}

const compiled = new WeakMap<object, PayloadSchema>();

/** A copy that nobody else holds, and that is JSON and nothing else. */
function plain(schema: object): unknown {
  let text: string | undefined;
  try {
    text = JSON.stringify(schema);
  } catch {
    text = undefined;
  }
  if (text === undefined || text.length > TEXT_MAX) {
    throw new InvalidSchema([`"payloadSchema" must be JSON of at most ${TEXT_MAX} characters, without circles`]);
  }
  return JSON.parse(text);
}
