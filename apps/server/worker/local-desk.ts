/** The desk of an attempt in the worker's own process: writes go to the database, each within the time of a statement. */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { idBytes, idText } from '@app/database';
import { PermanentError, RetryableError, serialiseResult, type HandlerDefinition } from '@app/handlers';
import { within } from '@app/lifecycle';
import { TaskCheckpoints, TaskProgressWriter, TaskReader, TaskResources, type ClaimedTask } from '@app/tasks';
import { NOTHING_INHERITED, type FoundResource, type Inheritance, type OpenDesk } from './desk.js';
import { LatestWrite } from './latest-write.js';

const KIND = /^[A-Za-z0-9._:-]{1,64}$/;
const REF_LENGTH_MAX = 1_000;
/** How many resources one attempt may register. */
const REGISTERED_MAX = 1_000;

/** Whose desk it is. */
interface Owner {
  readonly worker: Buffer;
  readonly task: ClaimedTask;
  readonly handler: HandlerDefinition;
}

@Injectable()
export class Desks {
  constructor(
    @Inject(Config) private readonly config: Pick<Config, 'checkpointMaxBytes' | 'databaseStatementTimeoutMs'>,
    @Inject(TaskProgressWriter) private readonly progress: Pick<TaskProgressWriter, 'write'>,
    @Inject(TaskCheckpoints) private readonly checkpoints: Pick<TaskCheckpoints, 'write' | 'read'>,
    @Inject(TaskResources) private readonly resources: Pick<TaskResources, 'register' | 'release' | 'heldBy'>,
    @Inject(TaskReader) private readonly reader: Pick<TaskReader, 'primaryError'>,
  ) {}

  open(worker: Buffer, task: ClaimedTask, handler: HandlerDefinition): OpenDesk {
    const owner: Owner = { worker, task, handler };
    let closed = false;
    let registered = 0;
    const open = async <T>(work: () => Promise<T>): Promise<T> => {
      if (closed) throw over();
      return work();
    };
    const saves = new LatestWrite<string>((json) => open(() => this.save(owner, json)));
    return {
      progress: (fraction, message) =>
        open(async () => {
          await this.progress.write(worker, task, fraction, message);
        }),
      checkpoint: (data) => open(() => this.timely(saves.put(this.jsonOf(data)), 'Saving a checkpoint')),
      register: (kind, ref) =>
        open(() => {
          registered += 1;
          if (registered > REGISTERED_MAX) throw refused('too-many-resources', `An attempt may register ${REGISTERED_MAX} resources.`);
          return this.register(owner, kind, ref);
        }),
      release: (id) => open(() => this.release(id)),
      close: () => {
        closed = true;
      },
    };
  }

  /** What earlier attempts left; a first attempt costs no question. */
  async inherit(task: ClaimedTask, handler: HandlerDefinition): Promise<Inheritance> {
    if (task.attempt === 1) return NOTHING_INHERITED;
    const [lastCheckpoint, resources, primaryError] = await Promise.all([
      this.checkpoints.read(task.bytes, handler.name),
      this.resources.heldBy(task.bytes),
      task.fallbacks === 0 ? null : this.reader.primaryError(task.bytes),
    ]);
    return { lastCheckpoint, primaryError, resources: resources.map(({ id, kind, ref }) => ({ id: idText(id), kind, ref })) };
  }

  private jsonOf(data: unknown): string {
    const text = serialiseResult(data, this.config.checkpointMaxBytes, 'checkpoint');
    if (!text.ok) throw refused(text.code, text.message);
    return text.json;
  }

  private async save({ worker, task, handler }: Owner, json: string): Promise<void> {
    if (!(await this.checkpoints.write(worker, task, handler.name, json))) throw gone();
  }

  private async register({ worker, task, handler }: Owner, kind: string, ref: string): Promise<FoundResource> {
    if (handler.onAbandon === undefined) {
      throw refused('no-abandon-hook', `The handler "${handler.name}" registers resources and has no onAbandon that lets go of them.`);
    }
    if (typeof kind !== 'string' || !KIND.test(kind) || typeof ref !== 'string' || ref === '' || ref.length > REF_LENGTH_MAX) {
      throw refused('invalid-resource', 'A resource needs a kind of 1 to 64 of A-Z a-z 0-9 . _ : - and a ref of 1 to 1,000 characters.');
    }
    const found = await this.timely(this.resources.register(worker, task, handler.name, kind, ref), 'Registering a resource');
    if (found === null) throw gone();
    return { id: idText(found.id), kind, ref };
  }

  private async release(id: string): Promise<void> {
    const bytes = idBytes(id);
    if (bytes !== null) await this.timely(this.resources.release(bytes), 'Releasing a resource');
  }

  private async timely<T>(work: Promise<T>, what: string): Promise<T> {
    try {
      return await within(work, this.config.databaseStatementTimeoutMs, what);
    } catch (cause) {
      if (cause instanceof RetryableError) throw cause;
      throw new RetryableError({ message: `${what} did not succeed; the attempt may be tried again.`, code: 'not-stored', cause });
    }
  }
}

const refused = (code: string, message: string): PermanentError => new PermanentError(message, { code });

const gone = (): RetryableError =>
  new RetryableError({ message: 'The attempt is no longer held by this worker; nothing was stored.', code: 'lease-lost' });

const over = (): RetryableError => new RetryableError({ message: 'The attempt is over; nothing was stored.', code: 'attempt-over' });
