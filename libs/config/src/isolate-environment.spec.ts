import { describe, expect, it } from '@jest/globals';
import { InvalidConfiguration } from '@app/errors';
import { isolateEnvironment } from './environment.js';
import { loadConfig } from './load.js';

const ENVIRONMENT = { PATH: '/bin', TZ: 'UTC', DATABASE_URL: 'mysql://root:hush@h/d', AUTH_JWT_SECRET: 'hush', MAIL_HOST: 'mail.example' };

describe('the environment of isolated handlers', () => {
  it('is what is harmless, and what is named', () => {
    expect(isolateEnvironment([], ENVIRONMENT)).toEqual({ PATH: '/bin', TZ: 'UTC' });
    expect(isolateEnvironment(['MAIL_HOST', 'NOT_SET'], ENVIRONMENT)).toEqual({ PATH: '/bin', TZ: 'UTC', MAIL_HOST: 'mail.example' });
  });

  it('is named in ISOLATE_ENV', () => {
    expect(loadConfig({}).isolateEnv).toEqual([]);
    expect(loadConfig({ ISOLATE_ENV: 'MAIL_HOST,API_KEY' }).isolateEnv).toEqual(['MAIL_HOST', 'API_KEY']);
  });

  it.each([
    ['MAIL_HOST, API_KEY', 'without spaces'],
    ['1X', 'letters, digits'],
    ['A,A', 'once'],
    [Array.from({ length: 65 }, (_, index) => `V${index}`).join(','), 'at most 64'],
    ['MAIL_HOST,DATABASE_URL,AUTH_JWT_SECRET', 'ISOLATE_ENV names DATABASE_URL, AUTH_JWT_SECRET'],
  ])('refuses %j', (names, problem) => {
    expect(() => loadConfig({ ISOLATE_ENV: names })).toThrow(InvalidConfiguration);
    expect(() => loadConfig({ ISOLATE_ENV: names })).toThrow(problem);
  });
});
