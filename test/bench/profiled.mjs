/**
 * Runs the built server in this process and profiles it between two SIGUSR2, so that a profile holds one measurement and no
 * boot. Arguments: the folder for profiles, and the name they begin with.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';

const [folder, name] = process.argv.slice(2);
const SAMPLE_US = 500;
const session = new Session();
let running = false;
let written = 0;

function say(msg, more) {
  process.stdout.write(`${JSON.stringify({ level: 'info', msg, ...more })}\n`);
}

session.connect();
session.post('Profiler.enable');
session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
process.on('SIGUSR2', () => {
  if (!running) {
    session.post('Profiler.start', () => say('profile started'));
  } else {
    session.post('Profiler.stop', (error, answer) => {
      written += 1;
      const file = join(folder, `${name}-${process.pid}-${written}.cpuprofile`);
      writeFileSync(file, JSON.stringify(answer?.profile ?? { error }));
      say('profile written', { file, number: written });
    });
  }
  running = !running;
});

await import(new URL('../../dist/apps/server/main.js', import.meta.url).href);
