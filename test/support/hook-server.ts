/**
 * The other side of requests on a user's behalf, at an address of this machine that is no one's: it counts what reaches it, and
 * answers as a test tells it to, in well-formed HTTP or byte by byte.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { KeyPair } from './hook-certificates.js';

export type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** What one request looked like when it had arrived whole. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export class HookServer {
  connections = 0;
  readonly seen: Seen[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** Answers 200 "ok" unless told otherwise. With a key pair it speaks TLS. */
  static async http(address: string, answer: Answering = sayOk, pair?: KeyPair, port = 0): Promise<HookServer> {
    const seen: Seen[] = [];
    const listener: Answering = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
        answer(request, response);
      });
    };
    const server = pair === undefined ? createHttpServer(listener) : createHttpsServer(pair, listener);
    server.on('tlsClientError', () => undefined);
    const hook = await new HookServer(server).listen(address, port);
    return Object.assign(hook, { seen });
  }

  /** Hands every connection over as it is. */
  static async raw(address: string, speak: (socket: Socket) => void = () => undefined): Promise<HookServer> {
    const hook = new HookServer(createServer());
    hook.server.on('connection', (socket) => {
      // What is not read would hide that the other side has gone.
      socket.resume();
      speak(socket);
    });
    return hook.listen(address, 0);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async listen(address: string, port: number): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, address, resolve);
    });
    return this;
  }
}

function sayOk(_request: IncomingMessage, response: ServerResponse): void {
  response.end('ok');
}
