import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { Drain, Shutdown } from '@app/lifecycle';
import { createLogger } from '@app/telemetry';
import { within } from '../../test/support/until.js';
import { Stopping } from './stop.js';

const BUDGET_MS = 200;
const never = new Promise<void>(() => undefined);

/** A process that is up: its signals, its parts, and how it ends. `close`: what closing the application takes. */
function started(close: () => Promise<void>) {
  const events = new EventEmitter();
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', format: 'json', role: 'all', destination: { write: (line) => void lines.push(line) } });
  const exits: number[] = [];
  let tell: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => (tell = resolve));
  const [drain, shutdown] = [new Drain(), new Shutdown()];
  const app = { get: (token: unknown) => (token === Drain ? drain : shutdown), getHttpServer: () => createServer(), close };
  const stopping = new Stopping(logger, BUDGET_MS, (code) => {
    exits.push(code);
    tell(code);
  });
  stopping.listen(events);
  stopping.attach(app as unknown as INestApplication);
  stopping.started();
  return { events, shutdown, drain, lines, exits, ended: () => within(ended, 30_000, 'the process to end') };
}

describe('a stop', () => {
  it('ends with 0 when every part has stopped', async () => {
    const { events, drain, exits, ended } = started(async () => undefined);
    events.emit('SIGTERM');
    expect(await ended()).toBe(0);
    expect([drain.draining, exits]).toEqual([true, [0]]);
  });

  it('ends with 1 when a part has not stopped in time', async () => {
    const { events, shutdown, ended } = started(async () => undefined);
    shutdown.on('finish', 'a part that hangs', () => never);
    events.emit('SIGTERM');
    expect(await ended()).toBe(1);
  });

  it('ends by force, with 1, when its budget is over and something outside of every stage hangs (O-2)', async () => {
    const { events, exits, lines, ended } = started(() => never);
    events.emit('SIGTERM');
    expect(await ended()).toBe(1);
    expect(exits).toEqual([1]);
    expect(lines.join('')).toContain('the process ends by force');
  });

  it('ends at once, with 1, at a second signal', async () => {
    const { events, exits } = started(() => never);
    events.emit('SIGTERM');
    events.emit('SIGINT');
    expect(exits).toEqual([1]);
  });
});
