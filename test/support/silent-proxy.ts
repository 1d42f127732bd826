/**
 * A way to a server that can fall silent: what is connected at that moment stays open and carries nothing any more, ever, as
 * with a firewall that forgot its connections; what connects during the silence gets no answer either. After it, new
 * connections work.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The server's greeting and its word that the password is right, each sent by itself. */
const HANDSHAKE_CHUNKS = 2;

export class SilentProxy {
  private readonly sockets = new Set<Socket>();
  private silent = false;
  /** How many chunks of the server still pass on a new connection: a greeting and a welcome, and then nothing. */
  private chunksPassed = Number.POSITIVE_INFINITY;

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {
    server.on('connection', (socket) => {
      this.carry(socket);
    });
  }

  /** The same address as `url`, by way of a new proxy. */
  static async before(url: string): Promise<{ proxy: SilentProxy; url: string }> {
    const address = new URL(url);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new SilentProxy(server, { host: address.hostname, port: Number(address.port) });
    address.hostname = '127.0.0.1';
    address.port = String((server.address() as AddressInfo).port);
    return { proxy, url: address.href };
  }

  fallSilent(): void {
    this.silent = true;
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  /** New connections are greeted and let in, and then nobody answers. */
  fallSilentAfterHandshake(): void {
    this.chunksPassed = HANDSHAKE_CHUNKS;
  }

  /** For new connections; the old ones are dead. */
  speak(): void {
    this.silent = false;
    this.chunksPassed = Number.POSITIVE_INFINITY;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
  }

  private carry(near: Socket): void {
    this.keep(near);
    if (this.silent) return;
    const far = connect(this.target);
    this.keep(far);
    near.pipe(far);
    let left = this.chunksPassed;
    if (left === Number.POSITIVE_INFINITY) far.pipe(near);
    else
      far.on('data', (chunk) => {
        if (left > 0) near.write(chunk);
        left -= 1;
      });
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }
}
