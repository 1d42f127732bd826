/**
 * Takes leave of the clients of a server without cutting anyone off. Nobody new is let in; who is connected has his requests
 * answered, and hears with the answer that the connection is over. A connection that only idles is kept for a moment, because a
 * request may be on its way on it, and a request that was sent and gets no answer is one that its sender cannot judge.
 */
import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { pause } from '@app/lifecycle';

const LOOK_EVERY_MS = 50;

export class Farewell {
  private readonly underWay = new Set<ServerResponse>();
  private said = false;

  constructor(private readonly server: Server) {
    server.prependListener('request', (_request, response) => {
      if (this.said) response.setHeader('Connection', 'close');
      this.underWay.add(response);
      response.once('close', () => this.underWay.delete(response));
    });
  }

  /**
   * Resolves when nobody is connected any more. Idle connections are closed after `lingerMs`, all of them after `limitMs`: then
   * only clients are left that do not take their answers.
   */
  async say(lingerMs: number, limitMs: number): Promise<void> {
    if (!this.server.listening) return;
    this.said = true;
    for (const response of this.underWay) if (!response.headersSent) response.setHeader('Connection', 'close');
    const over = new AbortController();
    // Not the close of HTTP, which cuts idle connections at once.
    NetServer.prototype.close.call(this.server, () => {
      over.abort();
    });
    await pause(Math.min(lingerMs, limitMs), over.signal);
    for (let left = limitMs - lingerMs; left > 0 && !over.signal.aborted; left -= LOOK_EVERY_MS) {
      this.server.closeIdleConnections();
      await pause(LOOK_EVERY_MS, over.signal);
    }
    this.server.closeAllConnections();
  }
}
