/** A worker as it is shown on the wire. */
import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { WorkerView } from '@app/tasks';
import { formatInstant } from '../request/instant.js';

const STATES = ['live', 'draining', 'stopped', 'lost'] as const satisfies readonly WorkerView['state'][];

@ApiSchema({ name: 'Worker' })
export class WorkerResponse {
  @ApiProperty()
  id!: string;

  @ApiProperty()
  host!: string;

  @ApiProperty({ type: 'integer' })
  pid!: number;

  @ApiProperty({ enum: STATES })
  state!: WorkerView['state'];

  @ApiProperty({ type: [String] })
  queues!: readonly string[];

  @ApiProperty({ type: [String] })
  handlers!: readonly string[];

  @ApiProperty({ type: 'integer' })
  concurrency!: number;

  @ApiProperty({ type: 'string', format: 'date-time' })
  startedAt!: string;

  @ApiProperty({ type: 'string', format: 'date-time' })
  heartbeatAt!: string;
}

@ApiSchema({ name: 'WorkerList' })
export class WorkerListResponse {
  @ApiProperty({ type: [WorkerResponse] })
  items!: WorkerResponse[];
}

export function showWorker(worker: WorkerView): WorkerResponse {
  return {
    id: worker.id,
    host: worker.host,
    pid: worker.pid,
    state: worker.state,
    queues: worker.queues,
    handlers: worker.handlers,
    concurrency: worker.concurrency,
    startedAt: formatInstant(worker.startedAt),
    heartbeatAt: formatInstant(worker.heartbeatAt),
  };
}
