/**
 * One keep-alive HTTP connection with one request in flight. A full HTTP client would take a good part of the two cores that
 * the measured processes need, so this one knows only what the API answers with: a status line and a body of a stated length.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

export class Connection {
  private parts: Buffer[] = [];
  private received = 0;
  /** Length of head and body together; unknown until the head is complete. */
  private expected: number | null = null;
  private bodyStart = 0;
  private pending: { resolve(reply: Reply): void; reject(error: Error): void } | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly headers: string,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (part: Buffer) => {
      this.take(part);
    });
    socket.on('error', (error) => {
      this.pending?.reject(error);
    });
    socket.on('close', () => {
      this.pending?.reject(new Error('The server closed the connection before it answered.'));
    });
  }

  static async open(url: URL, token: string): Promise<Connection> {
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    await once(socket, 'connect');
    return new Connection(socket, `host: ${url.host}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`);
  }

  /** Rejects where the connection breaks or the answer cannot be understood. */
  post(path: string, body: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.pending = { resolve, reject };
      this.socket.write(`POST ${path} HTTP/1.1\r\n${this.headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(part: Buffer): void {
    this.parts.push(part);
    this.received += part.length;
    if (this.expected === null) this.readHead();
    if (this.expected === null || this.received < this.expected) return;
    const whole = this.parts.length === 1 ? part : Buffer.concat(this.parts);
    const { pending, bodyStart } = this;
    this.parts = [];
    this.received = 0;
    this.expected = null;
    this.pending = null;
    pending?.resolve({ status: Number(whole.toString('latin1', 9, 12)), body: whole.subarray(bodyStart) });
  }

  private readHead(): void {
    const whole = Buffer.concat(this.parts);
    this.parts = [whole];
    const end = whole.indexOf(HEAD_END);
    if (end === -1) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(whole.toString('latin1', 0, end))?.[1];
    if (length === undefined) {
      this.pending?.reject(new Error('The server answered without a content-length, which this client does not understand.'));
      this.close();
      return;
    }
    this.bodyStart = end + HEAD_END.length;
    this.expected = this.bodyStart + Number(length);
  }
}
