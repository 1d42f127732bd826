/**
 * One process of a contender, producer or consumer, told over IPC what to do: `contender.mjs ADAPTER producer|consumer SETTINGS`.
 * The adapter is a module that opens the two on its product's own terms; load and counting are the same for all. One call at a
 * time; a call that fails is answered with its error.
 */
import { runLanes } from './lanes.mjs';

/** Makes a task of about 200 bytes. */
const FILLER = 'a task of ordinary size carries some words '.repeat(4);

const [adapter, role, text] = process.argv.slice(2);
const settings = JSON.parse(text);
const { openProducer, openConsumer } = await import(adapter);
const opened = role === 'producer' ? await openProducer(settings) : await consume();

async function consume() {
  const { recordArrival } = await import('./record-arrival.mjs');
  return openConsumer(settings, ({ number }) => recordArrival(number));
}

async function submit({ firstNumber, tasks, tasksPerRequest, connections, requestsPerSecond, bytes }) {
  const filler = bytes === undefined ? FILLER : 'x'.repeat(bytes);
  const requests = Math.ceil(tasks / tasksPerRequest);
  const { startedAt, dueAt, answeredMs } = await runLanes({ requests, lanes: connections, requestsPerSecond }, async (request) => {
    const first = firstNumber + request * tasksPerRequest;
    const count = Math.min(tasksPerRequest, firstNumber + tasks - first);
    if (tasksPerRequest === 1) return opened.submitOne({ number: first, text: filler });
    return opened.submitMany(Array.from({ length: count }, (_, index) => ({ number: first + index, text: filler })));
  });
  return { startedAt, dueAt: [...dueAt], answeredMs: [...answeredMs] };
}

let session;

function ask(method, parameters) {
  return new Promise((resolve, reject) => session.post(method, parameters, (error, answer) => (error ? reject(error) : resolve(answer))));
}

async function startProfile() {
  const { Session } = await import('node:inspector');
  session = new Session();
  session.connect();
  await ask('Profiler.enable');
  await ask('Profiler.setSamplingInterval', { interval: 500 });
  await ask('Profiler.start');
}

async function stopProfile(file) {
  const { writeFileSync } = await import('node:fs');
  writeFileSync(file, JSON.stringify((await ask('Profiler.stop')).profile));
  session.disconnect();
}

const CALLS = { submit, startProfile, stopProfile, depth: () => opened.depth(), close: () => opened.close() };

process.on('message', ({ call, argument }) => {
  Promise.resolve()
    .then(() => CALLS[call](argument))
    .then(
      (result) => process.send({ result: result ?? null }),
      (error) => process.send({ failure: String(error?.stack ?? error) }),
    );
});
process.on('disconnect', () => process.exit());
process.send({ result: 'open' });
