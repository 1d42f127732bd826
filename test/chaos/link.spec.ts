/** The links must do to a connection what they say, or a campaign tests nothing. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { clockMs } from './clock.js';
import { Link } from './link.js';

/** Answers everything with itself. */
let server: Server;
let link: Link;
const sockets: Socket[] = [];
const served = new Set<Socket>();

beforeEach(async () => {
  server = createServer((socket) => {
    served.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => served.delete(socket));
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  link = await Link.to(`redis://:secret@127.0.0.1:${(server.address() as AddressInfo).port}/2`);
});

afterEach(async () => {
  for (const socket of [...sockets.splice(0), ...served]) socket.destroy();
  await link.close();
  server.close();
});

async function dial(): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(link.url).port) });
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => (text += part));
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return { socket, heard: () => text };
}

describe('a link', () => {
  it('keeps the address but for host and port, and carries both ways', async () => {
    expect(link.url).toMatch(/^redis:\/\/:secret@127\.0\.0\.1:\d+\/2$/);
    const { socket, heard } = await dial();
    socket.write('hello');
    await until(() => heard() === 'hello');
  });

  it('passes on the end of a connection, with what came before it', async () => {
    const { socket, heard } = await dial();
    socket.end('last words');
    await once(socket, 'close');
    expect(heard()).toBe('last words');
    await until(() => served.size === 0);
  });

  it('that is slow keeps the order, and is quick again afterwards', async () => {
    const { socket, heard } = await dial();
    link.disturb({ kind: 'delay', ms: 60 });
    const before = clockMs();
    socket.write('one ');
    await until(() => heard() !== '');
    expect(clockMs() - before).toBeGreaterThanOrEqual(119);
    socket.write('two ');
    link.disturb({ kind: 'delay', ms: 1 });
    socket.write('three ');
    link.restore();
    socket.write('four');
    await until(() => heard() === 'one two three four');
  });

  it('that is cut resets what is connected and what connects, until it is restored', async () => {
    const { socket } = await dial();
    const gone = new Promise((resolve) => socket.once('close', resolve));
    link.disturb({ kind: 'cut' });
    await gone;
    await until(() => served.size === 0);
    const late = connect({ host: '127.0.0.1', port: Number(new URL(link.url).port) });
    late.on('error', () => undefined);
    await new Promise((resolve) => late.once('close', resolve));
    link.restore();
    const { socket: next, heard } = await dial();
    next.write('again');
    await until(() => heard() === 'again');
  });

  it('that is half-open leaves connections open and silent for good, and restores only new ones', async () => {
    const old = await dial();
    old.socket.write('before');
    await until(() => old.heard() === 'before');
    link.disturb({ kind: 'half-open' });
    old.socket.write('lost');
    const meanwhile = await dial();
    meanwhile.socket.write('lost too');
    link.restore();
    const next = await dial();
    old.socket.write('still lost');
    next.socket.write('heard');
    await until(() => next.heard() === 'heard');
    expect([old.heard(), meanwhile.heard()]).toEqual(['before', '']);
    expect([old.socket.destroyed, meanwhile.socket.destroyed]).toEqual([false, false]);
  });

  it('that is half-open tells nobody that the other side is gone', async () => {
    const { socket } = await dial();
    await until(() => served.size === 1);
    link.disturb({ kind: 'half-open' });
    socket.destroy();
    const { socket: next } = await dial();
    await until(() => served.size === 2);
    next.destroy();
    link.restore();
    const { socket: last } = await dial();
    await until(() => served.size === 3);
    last.destroy();
    await until(() => served.size === 2);
  });
});
