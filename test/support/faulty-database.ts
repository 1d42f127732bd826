/**
 * A real database with accidents on order: the connection that dies before a statement was run, the one that dies after the
 * commit and before the answer, the server that is away for a while, somebody else who is quicker. Everything that is not
 * ordered reaches the database as it is. It also counts, so that a test can say how many commits a group took.
 */
import type { EntityManager } from 'typeorm';
import { CommitUnknown, Database, LockTimeout, type Dialect, type Outcome, type Row, type Sql, type Transaction } from '@app/database';
import { Unavailable } from '@app/errors';

export type Call = 'query' | 'execute' | 'batch' | 'transaction';

interface Accident {
  calls: readonly Call[];
  /** Before the work: a throw keeps it from happening. */
  before?: (work: () => Promise<unknown>) => unknown;
  /** After the work: a throw hides that it happened. */
  after?: () => void | Promise<void>;
}

const WRITES: readonly Call[] = ['batch', 'transaction'];

export class FaultyDatabase extends Database {
  readonly dialect: Dialect;
  readonly counts: Record<Call, number> = { query: 0, execute: 0, batch: 0, transaction: 0 };
  /** How often a transaction was begun: once more than there were calls for each deadlock. */
  begun = 0;
  /** The most calls that were under way at once. */
  busiest = 0;
  private underWay = 0;
  private accidents: Accident[] = [];
  private named: { names: (statement: Sql) => boolean; times: number } | null = null;
  private inside: { work: () => Promise<unknown>; after: number; call: 'query' | 'run' } | null = null;

  constructor(readonly real: Database) {
    super();
    this.dialect = real.dialect;
  }

  get waiting(): number {
    return this.real.waiting;
  }

  get longestWaitMs(): number {
    return this.real.longestWaitMs;
  }

  /** How many accidents have not happened yet; a test that ordered one wants none left. */
  get ordered(): number {
    return this.accidents.length + (this.inside === null ? 0 : 1) + (this.named?.times ?? 0);
  }

  /** The next of the calls happens, and its answer is lost on the way. */
  loseAnswer(calls: readonly Call[] = WRITES): void {
    this.accidents.push({
      calls,
      after: () => {
        throw new CommitUnknown(new Error('the connection died after COMMIT'));
      },
    });
  }

  /** The next of the calls does not happen, and nobody can tell. */
  loseCommit(calls: readonly Call[] = WRITES): void {
    this.accidents.push({
      calls,
      before: () => {
        throw new CommitUnknown(new Error('the connection died before COMMIT'));
      },
    });
  }

  /** The next of the calls is cut off, and happens all the same, just before the one after it. */
  delayCommit(calls: readonly Call[] = WRITES): void {
    let late: () => Promise<unknown>;
    this.accidents.push({
      calls,
      before: (work) => {
        late = work;
        throw new CommitUnknown(new Error('the connection died while the server was committing'));
      },
    });
    this.interrupt(calls, () => late());
  }

  /** The next so many of the calls find nobody. */
  beAway(times: number, calls: readonly Call[] = WRITES): void {
    for (let count = 0; count < times; count += 1) {
      this.accidents.push({
        calls,
        before: () => {
          throw new Unavailable('The database does not answer.');
        },
      });
    }
  }

  /** So many of the statements that the test names find nobody. */
  failWhere(names: (statement: Sql) => boolean, times: number): void {
    this.named = { names, times };
  }

  /** The next of the calls waits in vain for rows that somebody else holds. */
  beBusy(calls: readonly Call[] = WRITES): void {
    this.accidents.push({
      calls,
      before: () => {
        throw new LockTimeout(new Error('somebody holds the rows'));
      },
    });
  }

  /** Somebody does something just before the next of the calls. */
  interrupt(calls: readonly Call[], work: () => Promise<unknown>): void {
    this.accidents.push({ calls, before: () => work() });
  }

  /** The next of the calls happens, and its answer arrives after somebody has done something. */
  delayAnswer(calls: readonly Call[], work: () => Promise<void>): void {
    this.accidents.push({ calls, after: work });
  }

  /** Somebody does something in the middle of the next transaction: after so many of its reads, or lists of statements, before what follows. */
  interruptInside(work: () => Promise<unknown>, after = 1, call: 'query' | 'run' = 'query'): void {
    this.inside = { work, after, call };
  }

  reset(): void {
    this.named = null;
    this.inside = null;
    this.begun = 0;
    this.busiest = 0;
    this.accidents = [];
    for (const call of Object.keys(this.counts) as Call[]) this.counts[call] = 0;
  }

  query<T extends object = Row>(statement: Sql): Promise<T[]> {
    if (this.named !== null && this.named.times > 0 && this.named.names(statement)) {
      this.named.times -= 1;
      return Promise.reject(new Unavailable('The database does not answer.'));
    }
    return this.run('query', () => this.real.query<T>(statement));
  }

  execute(statement: Sql): Promise<number> {
    return this.run('execute', () => this.real.execute(statement));
  }

  batch(statements: readonly Sql[]): Promise<Outcome[]> {
    return this.run('batch', () => this.real.batch(statements));
  }

  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.run('transaction', () =>
      this.real.transaction((transaction) => {
        this.begun += 1;
        return work(this.interruptible(transaction));
      }),
    );
  }

  entities<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.real.entities(work);
  }

  close(): Promise<void> {
    return this.real.close();
  }

  private interruptible(transaction: Transaction): Transaction {
    return {
      ...transaction,
      query: async <T extends object = Row>(statement: Sql) => {
        const found = await transaction.query<T>(statement);
        await this.interruptAfter('query');
        return found;
      },
      run: async (statements) => {
        const outcomes = await transaction.run(statements);
        await this.interruptAfter('run');
        return outcomes;
      },
    };
  }

  private async interruptAfter(call: 'query' | 'run'): Promise<void> {
    const { inside } = this;
    if (inside === null || inside.call !== call) return;
    inside.after -= 1;
    if (inside.after > 0) return;
    this.inside = null;
    await inside.work();
  }

  private async run<T>(call: Call, work: () => Promise<T>): Promise<T> {
    this.counts[call] += 1;
    this.underWay += 1;
    this.busiest = Math.max(this.busiest, this.underWay);
    try {
      return await this.runWithAccidents(call, work);
    } finally {
      this.underWay -= 1;
    }
  }

  private async runWithAccidents<T>(call: Call, work: () => Promise<T>): Promise<T> {
    const [first] = this.accidents;
    const accident = first?.calls.includes(call) === true ? this.accidents.shift() : undefined;
    await accident?.before?.(work);
    const result = await work();
    await accident?.after?.();
    return result;
  }
}
