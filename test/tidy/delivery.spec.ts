/** What is delivered beside the code, checked as far as that goes without a Docker engine or a build service. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { ROOT } from './source-tree.js';

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

interface Service {
  image?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  healthcheck?: { test?: unknown; disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
}

interface Job {
  permissions?: unknown;
  'timeout-minutes'?: number;
  strategy?: { matrix: Record<string, unknown[]> };
  steps: { uses?: string; run?: string }[];
}

describe('docker-compose.yml', () => {
  const text = read('docker-compose.yml');
  const { services, volumes } = parse(text, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, unknown> };

  it('has the two servers, the migration and the three roles', () => {
    expect(Object.keys(services).sort()).toEqual(['api', 'migrate', 'mysql', 'redis', 'scheduler', 'worker']);
    expect(['api', 'worker', 'scheduler'].map((name) => services[name]?.environment?.['ROLE'])).toEqual(['api', 'worker', 'scheduler']);
    expect(Object.keys(volumes)).toEqual(['mysql']);
  });

  it('starts each role after healthy servers and a finished migration', () => {
    for (const name of ['api', 'worker', 'scheduler']) {
      expect(services[name]?.depends_on).toEqual({
        mysql: { condition: 'service_healthy' },
        redis: { condition: 'service_healthy' },
        migrate: { condition: 'service_completed_successfully' },
      });
    }
    for (const name of ['mysql', 'redis']) expect(services[name]?.healthcheck?.test).toBeDefined();
  });

  it('lets the roles read and write rows, and only the migration change the schema', () => {
    const userOf = (name: string): string | undefined => /^mysql:\/\/(\w+):/.exec(services[name]?.environment?.['DATABASE_URL'] ?? '')?.[1];
    expect(['api', 'worker', 'scheduler'].map(userOf)).toEqual(['taskrunnerx', 'taskrunnerx', 'taskrunnerx']);
    expect(userOf('migrate')).toBe('migrator');
    expect(services['mysql']?.environment?.['MYSQL_USER']).toBe('migrator');
    expect(text.match(/GRANT .*/g)).toEqual([`GRANT SELECT, INSERT, UPDATE, DELETE ON taskrunnerx.* TO 'taskrunnerx'@'%';`]);
  });

  it('gives the containers no more than they need', () => {
    for (const name of ['api', 'worker', 'scheduler', 'migrate']) {
      expect(services[name]).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        pids_limit: expect.any(Number),
        mem_limit: expect.any(String),
      });
    }
  });

  it('gives no secret a default', () => {
    const used = [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, variable]) => variable);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((variable) => !/^[A-Z_]+:\?/.test(variable!))).toEqual([]);
  });

  it('opens ports on this machine only', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports).not.toEqual([]);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });
});

describe('the Dockerfile', () => {
  const text = read('Dockerfile');
  const runtime = text.slice(text.lastIndexOf('\nFROM '));

  it('ends in a small stage that does not run as root', () => {
    expect(text.match(/^FROM /gm)).toHaveLength(2);
    expect(runtime).toMatch(/^FROM node:\d+-slim$/m);
    expect(runtime.search(/^USER node$/m)).toBeLessThan(runtime.search(/^CMD /m));
    expect(runtime.search(/^USER node$/m)).toBeGreaterThan(0);
  });

  it('checks its health and starts what `npm run start:prod` starts', () => {
    expect(runtime).toMatch(/^HEALTHCHECK /m);
    expect(runtime).toContain('/health/live');
    const command = JSON.parse(/^CMD (\[.*\])$/m.exec(runtime)?.[1] ?? '[]') as string[];
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    expect(command.join(' ')).toBe(scripts['start:prod']);
  });

  it('has a first process that reaps orphans and hands signals on', () => {
    const entry = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(runtime)?.[1] ?? '[]') as string[];
    expect(entry).toEqual(['/usr/bin/tini', '--']);
    expect(runtime).toContain('install --yes --no-install-recommends tini ');
  });

  it('has a health check that is a program', () => {
    const check = JSON.parse(/HEALTHCHECK[^[]*(\[.*\])$/m.exec(runtime)?.[1] ?? '[]') as string[];
    expect(check.slice(0, 2)).toEqual(['node', '-e']);
    expect(() => new Script(check[2] ?? '')).not.toThrow();
  });

  it('copies nothing that .dockerignore keeps out', () => {
    const sent = new Set(
      read('.dockerignore')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    );
    const copied = [...text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, paths]) => paths!.split(' '));
    expect(copied.length).toBeGreaterThan(0);
    expect(copied.filter((path) => !sent.has(path))).toEqual([]);
  });
});

describe('the GitHub workflow', () => {
  const workflow = parse(read('.github/workflows/ci.yml')) as { permissions: unknown; jobs: Record<string, Job> };
  const jobs = Object.values(workflow.jobs);

  it('may read and nothing else, and no job runs for ever', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    expect(jobs.map((job) => job.permissions).filter(Boolean)).toEqual([]);
    expect(jobs.map((job) => typeof job['timeout-minutes'])).toEqual(jobs.map(() => 'number'));
  });

  it('uses actions by commit', () => {
    const used = jobs.flatMap((job) => job.steps.flatMap((step) => step.uses ?? []));
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((action) => !/@[0-9a-f]{40}$/.test(action))).toEqual([]);
  });

  it('asks for known holes and signatures, and keeps a list of what is in it', () => {
    const audit = workflow.jobs['audit']?.steps.flatMap((step) => step.run ?? []) ?? [];
    expect(audit).toEqual(expect.arrayContaining(['npm audit --omit=dev --audit-level=high', 'npm audit signatures']));
    expect(audit.join('\n')).toContain('npm run --silent sbom');
  });

  it('runs the one gate on every supported Node and database', () => {
    const test = workflow.jobs['test'];
    expect(test?.strategy?.matrix).toEqual({ node: [20, 22, 24], database: ['mariadb:10.11', 'mysql:8.4', 'mysql:9'] });
    expect(test?.steps.at(-1)?.run).toBe('.ci/run');
    expect(() => {
      accessSync(join(ROOT, '.ci/run'), constants.X_OK);
    }).not.toThrow();
  });
});

describe('package.json', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

  it('calls only scripts that exist', () => {
    const commands = Object.values(scripts).join('\n');
    const called = [...commands.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name]) => name!);
    expect(called.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it('pins every package exactly', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  });
});
