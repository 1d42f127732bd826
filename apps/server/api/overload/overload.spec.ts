import { connect, type Socket } from 'node:net';
import { Controller, Get } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Public } from '@app/auth';
import type { Environment } from '@app/config';
import { startFront, type Front } from '../../../../test/support/front.js';
import { until } from '../../../../test/support/until.js';

@Public()
@Controller('health')
class HealthController {
  @Get('live')
  live(): object {
    return { status: 'ok' };
  }
}

let front: Front;
afterEach(() => front.close());

async function start(environment: Environment): Promise<void> {
  front = await startFront(environment, [HealthController]);
}

const task = { name: 'echo' };
const submit = (): Promise<Response> => front.post('/api/tasks', task);

async function answer(response: Promise<Response>): Promise<string> {
  const { status, headers } = await response;
  const { code = 'ok' } = (await (await response).json()) as { code?: string };
  if (status === 503) expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  if (status === 503) expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(5);
  return `${status} ${code}`;
}

const told = (message: string) => front.lines.filter(({ msg }) => typeof msg === 'string' && msg.includes(message));

describe('overload', () => {
  it('by statements that wait for a connection is answered with 503, health is not, and both ends are told once', async () => {
    await start({ OVERLOAD_POOL_WAITERS: '10' });
    expect(await answer(submit())).toBe('201 ok');
    front.database.waiting = 10;
    for (let count = 0; count < 20; count += 1) expect(await answer(submit())).toBe('503 overloaded');
    expect(await answer(front.call('/health/live'))).toBe('200 ok');
    // Between the bounds it stays as it is.
    front.database.waiting = 9;
    expect(await answer(submit())).toBe('503 overloaded');
    front.database.waiting = 8;
    expect(await answer(submit())).toBe('201 ok');
    front.database.waiting = 9;
    expect(await answer(submit())).toBe('201 ok');
    expect(told('requests are answered with 503')).toEqual([
      expect.objectContaining({ level: 'warn', cause: 'statements waiting for a connection', waiting: 10 }),
    ]);
    expect(told('let in again')).toEqual([expect.objectContaining({ sentAway: 21 })]);
    expect(front.lines.filter(({ msg }) => msg === 'request failed' || msg === 'a dependency does not answer')).toEqual([]);
    expect(front.tasks.submitted).toHaveLength(3);
  });

  it('by one statement that has waited long for a connection is answered with 503, until the wait is half as long', async () => {
    await start({ OVERLOAD_POOL_WAIT_MS: '400' });
    front.database.waiting = 1;
    front.database.longestWaitMs = 399;
    expect(await answer(submit())).toBe('201 ok');
    front.database.longestWaitMs = 400;
    expect(await answer(submit())).toBe('503 overloaded');
    expect(await answer(front.call('/health/live'))).toBe('200 ok');
    front.database.longestWaitMs = 201;
    expect(await answer(submit())).toBe('503 overloaded');
    front.database.longestWaitMs = 200;
    expect(await answer(submit())).toBe('201 ok');
    expect(told('requests are answered with 503')).toEqual([
      expect.objectContaining({ level: 'warn', cause: 'long wait for a connection', waiting: 1, waitMs: 400 }),
    ]);
  });

  it('by requests in flight sends away the one too many, until some have their answers', async () => {
    await start({ OVERLOAD_REQUESTS_IN_FLIGHT: '10' });
    front.tasks.outcome = 'hang';
    const leaving = new AbortController();
    const waiting = Array.from({ length: 10 }, () =>
      front
        .call('/api/tasks', {
          method: 'POST',
          body: JSON.stringify(task),
          headers: { 'content-type': 'application/json', prefer: 'wait=60' },
          signal: leaving.signal,
        })
        .catch(() => null),
    );
    await until(() => front.tasks.waits.length === 10, { what: 'ten to wait' });
    expect(await answer(front.call('/api/tasks'))).toBe('503 overloaded');
    leaving.abort();
    await Promise.all(waiting);
    await until(async () => (await answer(front.call('/api/tasks'))) === '200 ok', { what: 'requests to be let in again' });
  });

  it('by a database that is away is answered with its own code, and over with the first answer', async () => {
    await start({ OVERLOAD_PROBE_MS: '100' });
    front.database.isAway = true;
    await until(async () => (await answer(submit())) === '503 dependency-unavailable', { what: 'the outage to be known' });
    expect(await answer(front.call('/health/live'))).toBe('200 ok');
    front.database.isAway = false;
    await until(async () => (await answer(submit())) === '201 ok', { what: 'the end of the outage to be known' });
    expect(told('requests are answered with 503')).toEqual([expect.objectContaining({ cause: 'database away' })]);
  });

  it('by an event loop that is late again and again is answered with 503 until it is on time', async () => {
    await start({ OVERLOAD_LOOP_DELAY_MS: '200' });
    const late = setInterval(() => {
      front.clock.advance(50);
    }, 5);
    try {
      await until(async () => (await answer(submit())) === '503 overloaded', { what: 'the delay to be known' });
    } finally {
      clearInterval(late);
    }
    await until(async () => (await answer(submit())) === '201 ok', { what: 'the delay to be over' });
    expect(told('requests are answered with 503')).toEqual([expect.objectContaining({ cause: 'delay of the event loop' })]);
  });

  it('is found before a token is looked at and before a byte of the body is asked for', async () => {
    await start({ OVERLOAD_POOL_WAITERS: '1' });
    front.database.waiting = 1;
    const socket = connect(Number(new URL(front.url).port), '127.0.0.1');
    try {
      // The body never comes; whoever waited for it would not answer.
      socket.write(
        'POST /api/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x.y.z\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n',
      );
      const text = await read(socket);
      expect(text).toMatch(/^HTTP\/1\.1 503/);
      expect(text).toMatch(/"code":"overloaded"/);
      expect(text).toMatch(/X-Request-Id: /i);
    } finally {
      socket.destroy();
    }
    expect(JSON.stringify(front.lines)).not.toContain('a token was refused');
  });
});

function read(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.includes('"requestId"')) resolve(text);
    });
    socket.once('error', reject);
    socket.setTimeout(10_000, () => {
      reject(new Error('no answer'));
    });
  });
}
