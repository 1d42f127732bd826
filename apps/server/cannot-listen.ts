/**
 * Says what to do where a process may not listen as it is configured. Node's own error names the system call and shows where in Node it
 * was made, which helps nobody who has only forgotten what else runs on the port.
 */
import type { Config } from '@app/config';
import { InvalidConfiguration } from '@app/errors';

/** The error for whoever starts the process; null where it is about something else than listening at this place. */
export function cannotListen(error: unknown, { host, port }: Pick<Config, 'host' | 'port'>): InvalidConfiguration | null {
  const { code, syscall, hostname } = error as { code?: unknown; syscall?: unknown; hostname?: unknown };
  if (syscall !== 'listen' && !(syscall === 'getaddrinfo' && hostname === host)) return null;
  switch (code) {
    case 'EADDRINUSE':
      return new InvalidConfiguration([`PORT: ${port} is in use at ${host}. Stop what uses it, or set another PORT.`]);
    case 'EACCES':
      return new InvalidConfiguration([
        `PORT: this user may not listen at ${port}. Set another PORT; those below 1024 take a right of their own.`,
      ]);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new InvalidConfiguration([`HOST: ${host} is no address of this machine. Set one, or 0.0.0.0 for all of them.`]);
    default:
      return new InvalidConfiguration([`HOST, PORT: this process cannot listen at ${host}, ${port} (${String(code)}).`]);
  }
}
