/** The desk of an attempt in the worker's own process: writes go to the database, each within the time of a statement. */
import { Inject, Injectable } from '@nestjs/common';
import { Config } from '@app/config';
import { RetryableError, serialiseResult, PermanentError } from '@app/handlers';
import { within } from '@app/lifecycle';
import { idBytes, idText, TaskCheckpoints, TaskProgressWriter, TaskReader, TaskResources, type ClaimedTask } from '@app/tasks';
import { NOTHING_INHERITED, type Desk, type FoundResource, type Inheritance } from './desk.js';

const KIND = /^[A-Za-z0-9._:-]{1,64}$/;
const REF_LENGTH_MAX = 1_000;

@Injectable()
export class Desks {
  constructor(
    @Inject(Config) private readonly config: Config,
    @Inject(TaskProgressWriter) private readonly progress: TaskProgressWriter,
    @Inject(TaskCheckpoints) private readonly checkpoints: TaskCheckpoints,
    @Inject(TaskResources) private readonly resources: TaskResources,
    @Inject(TaskReader) private readonly reader: TaskReader,
  ) {}

  open(worker: Buffer, task: ClaimedTask): Desk {
    return {
      progress: async (fraction, message) => {
        await this.progress.write(worker, task, fraction, message);
      },
      checkpoint: (data) => this.checkpoint(worker, task, data),
      register: (kind, ref) => this.register(worker, task, kind, ref),
      release: async (id) => {
        const bytes = idBytes(id);
        if (bytes !== null) await this.timely(this.resources.release(bytes), 'Releasing a resource');
      },
    };
  }

  /** What earlier attempts left; a first attempt costs no question. */
  async inherit(task: ClaimedTask): Promise<Inheritance> {
    if (task.attempt === 1) return NOTHING_INHERITED;
    const [lastCheckpoint, resources, primaryError] = await Promise.all([
      this.checkpoints.read(task.bytes),
      this.resources.heldBy(task.bytes),
      task.fallbacks === 0 ? null : this.reader.lastError(task.bytes),
    ]);
    return { lastCheckpoint, primaryError, resources: resources.map(({ id, kind, ref }) => ({ id: idText(id), kind, ref })) };
  }

  private async checkpoint(worker: Buffer, task: ClaimedTask, data: unknown): Promise<void> {
    const text = serialiseResult(data, this.config.checkpointMaxBytes);
    if (!text.ok) throw new PermanentError(text.message, { code: text.code.replace('result', 'checkpoint') });
    const mine = await this.timely(this.checkpoints.write(worker, task, text.json), 'Saving a checkpoint');
    if (!mine) throw gone();
  }

  private async register(worker: Buffer, task: ClaimedTask, kind: string, ref: string): Promise<FoundResource> {
    if (typeof kind !== 'string' || !KIND.test(kind) || typeof ref !== 'string' || ref === '' || ref.length > REF_LENGTH_MAX) {
      throw new PermanentError('A resource needs a kind of 1 to 64 of A-Z a-z 0-9 . _ : - and a ref of 1 to 1,000 characters.', {
        code: 'invalid-resource',
      });
    }
    const found = await this.timely(this.resources.register(worker, task, kind, ref), 'Registering a resource');
    if (found === null) throw gone();
    return { id: idText(found.id), kind, ref };
  }

  private async timely<T>(work: Promise<T>, what: string): Promise<T> {
    try {
      return await within(work, this.config.databaseStatementTimeoutMs, what);
    } catch (cause) {
      throw new RetryableError({ message: `${what} did not succeed; the attempt may be tried again.`, code: 'not-stored', cause });
    }
  }
}

const gone = (): RetryableError =>
  new RetryableError({ message: 'The attempt is no longer held by this worker; nothing was stored.', code: 'lease-lost' });
