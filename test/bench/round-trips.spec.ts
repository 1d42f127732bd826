import { createConnection, createServer } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { CommandCounter, CountingRelay } from './round-trips.js';

function packet(sequence: number, body: string): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(body.length, 0, 3);
  header[3] = sequence;
  return Buffer.concat([header, Buffer.from(body)]);
}

const CONVERSATION = Buffer.concat([packet(1, 'hello'), packet(3, 'more of the hello'), packet(0, '\u0003SELECT 1'), packet(0, '\u0001')]);

describe('a counter of commands', () => {
  it.each([1, 2, 3, 5, 7, 1_000])('finds where commands begin in pieces of %d bytes', (size) => {
    const counter = new CommandCounter();
    for (let at = 0; at < CONVERSATION.length; at += size) counter.take(CONVERSATION.subarray(at, at + size));
    expect(counter.commands).toBe(2);
  });

  it('takes a long one of several packets, and an empty body, for what they are', () => {
    const counter = new CommandCounter();
    counter.take(Buffer.concat([packet(0, 'x'.repeat(70_000)), packet(1, 'the rest'), packet(0, ''), packet(0, 'x')]));
    expect(counter.commands).toBe(3);
  });
});

describe('a relay', () => {
  it('passes everything on, both ways, and counts over all clients', async () => {
    const server = createServer((socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const relay = await CountingRelay.start(`mysql://user:secret@127.0.0.1:${port}`);
    const address = new URL(relay.through(`mysql://user:secret@127.0.0.1:${port}/name`));
    expect(address.pathname).toBe('/name');
    const clients = [0, 1].map(() => createConnection({ host: '127.0.0.1', port: Number(address.port) }));
    for (const client of clients) {
      client.write(CONVERSATION);
      let received = 0;
      while (received < CONVERSATION.length) received += ((await once(client, 'data')) as [Buffer])[0].length;
    }
    expect(relay.roundTrips).toBe(4);
    await relay.close();
    server.close();
    await once(server, 'close');
  });
});
