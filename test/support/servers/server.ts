/**
 * A server that belongs to one test run or one test, with the controls a fault test needs. Its port and its data stay the same
 * over kills and restarts, so that a client sees one server that was away.
 */
export interface PrivateServer {
  /** With credentials; for a database without the name of one. */
  readonly url: string;
  readonly port: number;
  /** SIGKILL: nothing is flushed, nothing is said. Resolves when the process is gone. */
  kill9(): Promise<void>;
  /** An orderly stop that keeps the data. */
  stop(): Promise<void>;
  /** Starts it again after `kill9` or `stop` (a running server is stopped first); resolves when it answers. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nobody answers, as with a hung machine. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Stops it and removes its data. Where a test forgets this, the end of its process does it. */
  remove(): Promise<void>;
}
