/**
 * An error of a handler as it may stand in the log of the platform: its class, its code and the lines of code it came from. Its
 * message is left out, because it belongs to the tenant: handlers write what they were working on into their messages. The message
 * is kept where the tenant can read it, in the attempt.
 */

const FRAMES_MAX = 10;
const FRAME_LENGTH = 200;

export interface HandlerError {
  readonly type: string;
  readonly code?: string | number;
  readonly frames: readonly string[];
}

export function handlerError(thrown: unknown): HandlerError {
  if (typeof thrown !== 'object' || thrown === null) return { type: typeof thrown, frames: [] };
  try {
    return described(thrown);
  } catch {
    // It does not let itself be looked at.
    return { type: 'object', frames: [] };
  }
}

function described({
  name,
  code,
  message,
  stack,
}: Readonly<Partial<Record<'name' | 'code' | 'message' | 'stack', unknown>>>): HandlerError {
  const lines = typeof stack === 'string' ? behind(stack, typeof message === 'string' ? message : '').split('\n') : [];
  return {
    type: typeof name === 'string' && /^\w{1,64}$/.test(name) ? name : 'Error',
    ...(typeof code === 'number' || (typeof code === 'string' && /^[\w.-]{1,64}$/.test(code)) ? { code } : {}),
    frames: lines
      .filter((line) => /^ {4}at \S/.test(line))
      .slice(0, FRAMES_MAX)
      .map((line) => line.trim().slice(0, FRAME_LENGTH)),
  };
}

/** What stands behind the message, which may look like lines of code itself; nothing where it is not there as it was when the error was made. */
function behind(stack: string, message: string): string {
  const from = stack.indexOf(message);
  return from === -1 ? '' : stack.slice(from + message.length);
}
