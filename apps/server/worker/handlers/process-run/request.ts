/** What a task of `process.run` may ask for: checked whole, nothing coerced, nothing ignored. */
import { isAbsolute, normalize } from 'node:path';
import { PermanentError } from '@app/handlers';

export interface ProcessRequest {
  /** Absolute; on the list of the operator. */
  readonly program: string;
  readonly args: readonly string[];
  /** Absolute; null where the task leaves it open. */
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | null;
  /** How much of the end of each output is kept, in bytes. */
  readonly outputTailBytes: number;
}

/** What the operator allows. */
export interface Allowance {
  readonly programs: readonly string[];
  readonly variables: readonly string[];
}

export const OUTPUT_TAIL_BYTES_MAX = 65_536;
const OUTPUT_TAIL_BYTES = 8_192;
const ARGS_MAX = 256;
/** Arguments and environment together; well below what an operating system takes. */
const ARGUMENT_BYTES_MAX = 98_304;
const PATH_LENGTH_MAX = 4_096;
const STDIN_BYTES_MAX = 1_048_576;
const KEYS = ['program', 'args', 'cwd', 'env', 'stdin', 'outputTailBytes'];

/**
 * @throws PermanentError `invalid-payload` where the payload cannot be used, `program-not-allowed` and `variable-not-allowed` where
 * the operator has not listed what it names.
 */
export function readRequest(payload: unknown, { programs, variables }: Allowance): ProcessRequest {
  if (!isRecord(payload)) throw invalid(`must be an object of ${KEYS.join(', ')}`);
  const unknown = Object.keys(payload).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw invalid(`has an unknown field "${unknown.slice(0, 64)}"; it may have ${KEYS.join(', ')}`);
  const program = pathOf(payload['program'], 'program');
  if (!programs.includes(program)) {
    throw new PermanentError('This program may not be started here: it is not in PROCESS_RUN_ALLOW.', { code: 'program-not-allowed' });
  }
  const request = {
    program,
    args: argsOf(payload['args'] ?? []),
    cwd: payload['cwd'] === undefined ? null : pathOf(payload['cwd'], 'cwd'),
    env: envOf(payload['env'] ?? {}, variables),
    stdin: stdinOf(payload['stdin']),
    outputTailBytes: tailOf(payload['outputTailBytes']),
  };
  const size = [...request.args, ...Object.entries(request.env).flat()].reduce((bytes, text) => bytes + Buffer.byteLength(text) + 1, 0);
  if (size > ARGUMENT_BYTES_MAX) throw invalid(`has more than ${ARGUMENT_BYTES_MAX} bytes of args and env; use stdin for data`);
  return request;
}

function pathOf(value: unknown, field: string): string {
  const fits = typeof value === 'string' && value.length <= PATH_LENGTH_MAX && isAbsolute(value) && isPlain(value);
  if (!fits || normalize(value) !== value) throw invalid(`needs an absolute path without "." and ".." in "${field}"`);
  return value;
}

function argsOf(value: unknown): string[] {
  const fits =
    Array.isArray(value) && value.length <= ARGS_MAX && value.every((one): one is string => typeof one === 'string' && isPlain(one));
  if (!fits) throw invalid(`needs a list of at most ${ARGS_MAX} texts without NUL in "args"`);
  return value;
}

function envOf(value: unknown, variables: readonly string[]): Record<string, string> {
  if (!isRecord(value)) throw invalid('needs an object of texts in "env"');
  const entries = Object.entries(value);
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string' && isPlain(entry[1]));
  if (texts.length < entries.length) throw invalid('needs texts without NUL as the values of "env"');
  if (texts.some(([name]) => !variables.includes(name))) {
    throw new PermanentError('"env" names a variable that may not be set here: it is not in PROCESS_RUN_ENV_ALLOW.', {
      code: 'variable-not-allowed',
    });
  }
  return Object.fromEntries(texts);
}

function stdinOf(value: unknown): string | null {
  if (value === undefined) return null;
  if (typeof value === 'string' && Buffer.byteLength(value) <= STDIN_BYTES_MAX) return value;
  throw invalid(`needs a text of at most ${STDIN_BYTES_MAX} bytes in "stdin"`);
}

function tailOf(value: unknown): number {
  if (value === undefined) return OUTPUT_TAIL_BYTES;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= OUTPUT_TAIL_BYTES_MAX) return value;
  throw invalid(`needs a whole number from 0 to ${OUTPUT_TAIL_BYTES_MAX} in "outputTailBytes"`);
}

const isPlain = (text: string): boolean => !text.includes('\0');

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function invalid(what: string): PermanentError {
  return new PermanentError(`The payload ${what}.`, { code: 'invalid-payload' });
}
