/**
 * The process that keeps the programs of one worker: it starts them, stops them, and reads what they write. It ends with the
 * worker, however the worker ends: the channel between the two breaks, and everything that runs is killed at once, long before
 * the lease is over and the tasks run again elsewhere. A worker that stands still breaks no channel; its state is looked at, and it is
 * given up before its lease is. The keeper outlives signals that are meant for the worker, which it has to.
 */
import { LOOK_EVERY_MS, ParentWatch } from '../../parent-watch.js';
import type { FromKeeper, ToKeeper } from './messages.js';
import { Program } from './program.js';

const programs = new Map<number, Program>();

function say(message: FromKeeper): void {
  process.send?.(message, undefined, undefined, () => undefined);
}

function start({ run, order }: Extract<ToKeeper, { kind: 'start' }>): void {
  try {
    const program = new Program(order);
    programs.set(run, program);
    if (program.pid !== undefined) say({ kind: 'started', run, pid: program.pid });
    void program.ended
      .then(
        (end) => {
          say({ kind: 'ended', run, end });
        },
        (error: unknown) => {
          refuse(run, error);
        },
      )
      .finally(() => programs.delete(run));
  } catch (error) {
    refuse(run, error);
  }
}

function refuse(run: number, error: unknown): void {
  say({ kind: 'refused', run, code: (error as NodeJS.ErrnoException).code ?? 'unknown' });
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

process.on('message', (message: ToKeeper) => {
  if (message.kind === 'start') start(message);
  else programs.get(message.run)?.stop();
});

function end(): void {
  clearInterval(looking);
  void Promise.allSettled([...programs.values()].map((program) => program.kill())).then(() => process.exit(0));
}

const worker = new ParentWatch(process.ppid, Number(process.argv[2]));
const looking = setInterval(() => {
  if (worker.isOver()) end();
}, LOOK_EVERY_MS);

process.on('disconnect', end);
