/**
 * One process's way to one server, which can be disturbed without disturbing anybody else's: slow, cut (every connection is
 * reset, new ones too), or half-open (what is connected stays open and carries nothing any more, ever, as with a firewall that
 * forgot its connections; what connects meanwhile gets no answer either). After `restore` new connections work.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { clockMs } from './clock.js';

export type Disturbance = { readonly kind: 'cut' } | { readonly kind: 'half-open' } | { readonly kind: 'delay'; readonly ms: number };

/** How much may wait for a server that takes nothing, per connection, in bytes. */
const WAITING_MAX = 16 * 1024 * 1024;

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  silent: boolean;
}

export class Link {
  private readonly pairs = new Set<Pair>();
  private disturbance: Disturbance | null = null;

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
    /** The server's address by way of this link. */
    readonly url: string,
  ) {
    server.on('connection', (socket) => {
      this.carry(socket);
    });
  }

  static async to(url: string): Promise<Link> {
    const address = new URL(url);
    const target = { host: address.hostname, port: Number(address.port) };
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address.hostname = '127.0.0.1';
    address.port = String((server.address() as AddressInfo).port);
    return new Link(server, target, address.href);
  }

  disturb(disturbance: Disturbance): void {
    this.disturbance = disturbance;
    for (const pair of this.pairs) {
      if (disturbance.kind === 'half-open') pair.silent = true;
      if (disturbance.kind !== 'cut') continue;
      pair.near.resetAndDestroy();
      pair.far.resetAndDestroy();
    }
  }

  restore(): void {
    this.disturbance = null;
  }

  async close(): Promise<void> {
    for (const { near, far } of this.pairs) {
      near.destroy();
      far.destroy();
    }
    await new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
  }

  private carry(near: Socket): void {
    if (this.disturbance?.kind === 'cut') {
      near.on('error', () => undefined);
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...this.target, allowHalfOpen: true });
    const pair: Pair = { near, far, silent: this.disturbance?.kind === 'half-open' };
    this.pairs.add(pair);
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
    }
    this.pass(pair, near, far);
    this.pass(pair, far, near);
  }

  /** One direction. The end of a connection takes the same way as its data. */
  private pass(pair: Pair, from: Socket, to: Socket): void {
    const line = new WaitingLine();
    const later = (step: () => void): void => {
      line.add(this.disturbance?.kind === 'delay' ? this.disturbance.ms : 0, step);
    };
    from.on('data', (chunk) => {
      later(() => {
        if (pair.silent || to.destroyed) return;
        to.write(chunk);
        if (to.writableLength > WAITING_MAX) to.destroy();
      });
    });
    from.on('end', () => {
      later(() => {
        if (!pair.silent) to.end();
      });
    });
    from.on('close', () => {
      later(() => {
        // Nobody on the other side hears of it.
        if (!pair.silent) to.destroySoon();
        if (this.isOver(pair)) this.pairs.delete(pair);
      });
    });
  }

  private isOver({ near, far }: Pair): boolean {
    return near.destroyed && far.destroyed;
  }
}

/** Steps that are taken in the order in which they came, each not before its time. */
class WaitingLine {
  private readonly steps: { dueAt: number; step: () => void }[] = [];
  private timer: NodeJS.Timeout | null = null;

  add(delayMs: number, step: () => void): void {
    if (delayMs === 0 && this.steps.length === 0) {
      step();
      return;
    }
    this.steps.push({ dueAt: clockMs() + delayMs, step });
    this.timer ??= setTimeout(this.take, delayMs);
  }

  private readonly take = (): void => {
    this.timer = null;
    for (;;) {
      const [first] = this.steps;
      if (first === undefined) return;
      const early = first.dueAt - clockMs();
      if (early > 0) {
        this.timer = setTimeout(this.take, early);
        return;
      }
      this.steps.shift();
      first.step();
    }
  };
}
