/**
 * The load generator, a process of its own, so that neither its work nor its garbage is counted as the program's. It takes one job
 * at a time over IPC. Any answer other than "accepted" ends the job with that answer: a refused task is not a fast task.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { clockMs } from './arrivals.js';
import { Connection } from './connection.js';
import { QUEUE, type LoadAnswer, type LoadJob, type LoadReport } from './load-job.js';

/** Makes a task of about 230 bytes on the wire. */
const FILLER = 'a task of ordinary size carries some words '.repeat(4);
const SHOWN_MAX = 500;

function taskText(number: number): string {
  return `{"name":"bench.echo","queue":"${QUEUE}","payload":{"number":${number},"text":"${FILLER}"}}`;
}

async function send(connection: Connection, job: LoadJob, request: number): Promise<void> {
  const first = job.firstNumber + request * job.tasksPerRequest;
  const count = Math.min(job.tasksPerRequest, job.firstNumber + job.tasks - first);
  const isBatch = job.tasksPerRequest > 1;
  const texts = Array.from({ length: count }, (_, index) => taskText(first + index));
  const { status, body } = await connection.post(
    isBatch ? '/api/tasks/batch' : '/api/tasks',
    isBatch ? `{"tasks":[${texts.join(',')}]}` : texts.join(),
  );
  if (status !== 201) throw new Error(`A submission was answered with ${status}: ${body.toString('utf8', 0, SHOWN_MAX)}`);
  if (!isBatch) return;
  const { items } = JSON.parse(body.toString()) as { items: { status: number }[] };
  const refused = items.find((item) => item.status !== 201);
  if (refused !== undefined) throw new Error(`A task of a batch was refused: ${JSON.stringify(refused).slice(0, SHOWN_MAX)}`);
}

async function work(job: LoadJob): Promise<LoadReport> {
  const requests = Math.ceil(job.tasks / job.tasksPerRequest);
  const url = new URL(job.url);
  const connections = await Promise.all(Array.from({ length: Math.min(job.connections, requests) }, () => Connection.open(url, job.token)));
  const dueAt = new Float64Array(requests);
  const answeredMs = new Float64Array(requests);
  const startedAt = clockMs();
  let next = 0;
  const run = async (connection: Connection): Promise<void> => {
    while (next < requests) {
      const request = next;
      next += 1;
      dueAt[request] = await turnOf(job, startedAt, request);
      await send(connection, job, request);
      answeredMs[request] = clockMs() - dueAt[request];
    }
  };
  try {
    await Promise.all(connections.map(run));
  } finally {
    for (const connection of connections) connection.close();
  }
  return { startedAt, dueAt, answeredMs };
}

/**
 * When the request counts as begun. At a pace that is when it was due, if no connection was free by then: a server that stalls must
 * not hide the requests it delays. A late timer of this process is no fault of the server's and is left out.
 */
async function turnOf({ requestsPerSecond }: LoadJob, startedAt: number, request: number): Promise<number> {
  if (requestsPerSecond === null) return clockMs();
  const due = startedAt + (request * 1_000) / requestsPerSecond;
  const early = due - clockMs();
  if (early <= 0) return due;
  await pause(early);
  return clockMs();
}

process.on('message', (job: LoadJob) => {
  const answer = (outcome: LoadAnswer): void => {
    process.send?.(outcome);
  };
  work(job).then(
    (report) => {
      answer({ report });
    },
    (error: unknown) => {
      answer({ failure: String(error) });
    },
  );
});
process.on('disconnect', () => process.exit());
