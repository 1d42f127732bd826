/**
 * Counts how often clients ask a MySQL-family server something, which the server itself does not tell: it counts statements, and one
 * packet may hold several. A relay in between sees the packets, whose header says where a new command begins.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const HEADER_BYTES = 4;

/** Reads what one client sends, in whatever pieces it comes. */
export class CommandCounter {
  commands = 0;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private headerBytes = 0;
  private bodyBytes = 0;

  take(part: Buffer): void {
    let at = 0;
    while (at < part.length) {
      if (this.bodyBytes > 0) {
        const skipped = Math.min(this.bodyBytes, part.length - at);
        this.bodyBytes -= skipped;
        at += skipped;
        continue;
      }
      this.header[this.headerBytes] = part[at] ?? 0;
      this.headerBytes += 1;
      at += 1;
      if (this.headerBytes === HEADER_BYTES) this.begin();
    }
  }

  /** Three bytes of length, and the number of the packet within its exchange: a command begins one. */
  private begin(): void {
    this.headerBytes = 0;
    this.bodyBytes = this.header.readUIntLE(0, 3);
    if (this.header[3] === 0) this.commands += 1;
  }
}

/** Stands before the server at `url`; without TLS, or it sees nothing. */
export class CountingRelay {
  private readonly counters: CommandCounter[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {}

  static async start(url: string): Promise<CountingRelay> {
    const server = createServer({ noDelay: true });
    const relay = new CountingRelay(server, new URL(url));
    server.on('connection', (client) => {
      relay.serve(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return relay;
  }

  /** The same address by way of the relay. */
  through(url: string): string {
    const address = new URL(url);
    address.port = String((this.server.address() as AddressInfo).port);
    return address.href;
  }

  /** So far, of all clients. */
  get roundTrips(): number {
    return this.counters.reduce((sum, { commands }) => sum + commands, 0);
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private serve(client: Socket): void {
    const counter = new CommandCounter();
    this.counters.push(counter);
    const upstream = connect({ host: this.target.hostname, port: Number(this.target.port), noDelay: true });
    client.on('data', (part: Buffer) => {
      counter.take(part);
    });
    client.pipe(upstream);
    upstream.pipe(client);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
