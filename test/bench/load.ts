/**
 * The load generator, a process of its own, so that neither its work nor its garbage is counted as the program's. It takes one job
 * at a time over IPC. Any answer other than "accepted" ends the job with that answer: a refused task is not a fast task.
 */
import { Connection } from './connection.js';
import { runLanes } from './lanes.mjs';
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
  const lanes = Math.min(job.connections, requests);
  const connections = await Promise.all(Array.from({ length: lanes }, () => Connection.open(url, job.token)));
  try {
    return await runLanes({ requests, lanes, requestsPerSecond: job.requestsPerSecond }, (request, lane) =>
      send(connections[lane]!, job, request),
    );
  } finally {
    for (const connection of connections) connection.close();
  }
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
