/** Profiles of one measurement: taken in the running processes, and read for the functions that cost most by themselves. */
import { readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { App } from '../support/process.js';
import type { Profile } from './site.js';

const SHOWN = 12;

interface CallFrame {
  functionName: string;
  url: string;
  lineNumber: number;
}

interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame }[];
  samples: number[];
  timeDeltas: number[];
}

/** Begins a profile in every one of these processes; the returned function ends them and names the files after `label`. */
export function startProfiles(processes: ReadonlyMap<string, App>, label: string): () => Promise<Profile[]> {
  const profiled = [...processes].map(([role, app]) => {
    const earlier = app.logs().filter((line) => line.msg === 'profile written').length;
    app.kill('SIGUSR2');
    return { role, app, earlier };
  });
  return async () =>
    Promise.all(
      profiled.map(async ({ role, app, earlier }) => {
        app.kill('SIGUSR2');
        const line = await app.waitForLine(({ msg, number }) => msg === 'profile written' && number === earlier + 1, 60_000, 'its profile');
        const written = String(line['file']);
        const file = join(dirname(written), `${label}-${role}.cpuprofile`);
        renameSync(written, file);
        return { role, file };
      }),
    );
}

/** The functions and the packages with the most time of their own, as Markdown lines. Shares are of the time that was not idle. */
export function hotSpots(file: string): string {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const packages = new Map<string, number>();
  let busy = 0;
  samples.forEach((id, index) => {
    const frame = frames.get(id)!;
    if (frame.functionName === '(idle)') return;
    const spent = timeDeltas[index + 1] ?? 0;
    busy += spent;
    add(functions, functionOf(frame), spent);
    add(packages, packageOf(frame), spent);
  });
  const lines = [`${(busy / 1e6).toFixed(2)} s busy`, ...top(functions, busy), 'by package:', ...top(packages, busy)];
  return lines.join('\n');
}

function add(sums: Map<string, number>, name: string, time: number): void {
  sums.set(name, (sums.get(name) ?? 0) + time);
}

function top(sums: ReadonlyMap<string, number>, whole: number): string[] {
  const sorted = [...sums].sort(([, a], [, b]) => b - a).slice(0, SHOWN);
  return sorted.map(([name, time]) => `- ${((100 * time) / whole).toFixed(1)} % ${name}`);
}

function functionOf({ functionName, url, lineNumber }: CallFrame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : `native: ${functionName === '' ? '(anonymous)' : functionName}`;
  const place = url.replace(/^.*\/node_modules\//, '').replace(/^.*\/dist\/(?=apps|libs)/, '');
  return `${functionName === '' ? '(anonymous)' : functionName} ${place}:${lineNumber + 1}`;
}

function packageOf({ functionName, url }: CallFrame): string {
  if (url === '') return functionName.startsWith('(') ? functionName : 'native';
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  const own = /\/dist\/((?:apps|libs)\/[^/]+(?:\/(?!src)[^/]+(?=\/))?)/.exec(url)?.[1];
  return installed ?? own ?? (url.startsWith('node:') ? 'node' : url);
}
