/**
 * What must hold for a server before anything is entrusted to it. "Accepted means durable" is only as true as the server's commit:
 * one that writes its log once a second loses what was accepted in that second when the power fails. A server of the MySQL family
 * is asked once, at the start; what can be set for a session is set and checked on every session instead (`mysql-pool.ts`).
 */
import { InvalidConfiguration } from '@app/errors';

/** Answers with one row of a MySQL-family server. */
export type Asking = (text: string) => Promise<Readonly<Record<string, unknown>> | undefined>;

export interface ServerChecks {
  /** What to do about a server that does not flush its log at every commit. */
  unsafeCommits: 'refuse' | 'warn';
  /** Told about what is only worth a warning. */
  onAdvice(advice: string): void;
}

const QUESTION = 'SELECT @@GLOBAL.innodb_flush_log_at_trx_commit AS flushes, @@GLOBAL.log_bin AS logged, @@GLOBAL.sync_binlog AS synced';
const NOT_FLUSHED = 'innodb_flush_log_at_trx_commit of the server is not 1';

/** @throws InvalidConfiguration where committed rows may be lost and that is to be refused */
export async function checkServer(ask: Asking, { unsafeCommits, onAdvice }: ServerChecks): Promise<void> {
  const row = (await ask(QUESTION)) ?? {};
  if (Number(row['flushes']) !== 1) {
    if (unsafeCommits === 'refuse') {
      const choice = 'Set it, or accept that with DATABASE_UNSAFE_COMMITS=warn';
      throw new InvalidConfiguration([`DATABASE_URL: ${NOT_FLUSHED}, so a power cut may lose accepted tasks. ${choice}.`]);
    }
    onAdvice(`A power cut may lose accepted tasks: ${NOT_FLUSHED}.`);
  }
  // Many servers with replicas run like this on purpose, so it is not refused.
  if (Number(row['logged']) === 1 && Number(row['synced']) !== 1) {
    onAdvice('A power cut may lose accepted tasks: the server writes a binary log and sync_binlog is not 1.');
  }
}
