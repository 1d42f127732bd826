import { describe, expect, it } from '@jest/globals';
import type { Report } from './messages.js';
import { readReport, UNREADABLE } from './read-report.js';

const failure = { permanent: false, retryAfterMs: null, deferMs: null, code: 'c', message: 'm' };
const REPORTS: Report[] = [
  { type: 'ready' },
  { type: 'not-loaded', message: 'no' },
  { type: 'asked', key: 'k', ask: 1, wanted: { what: 'progress', fraction: 0.5, message: '' } },
  { type: 'asked', key: 'k', ask: 1, wanted: { what: 'checkpoint', json: '1' } },
  { type: 'asked', key: 'k', ask: 1, wanted: { what: 'register', kind: 'a', ref: 'b' } },
  { type: 'asked', key: 'k', ask: 1, wanted: { what: 'release', id: '1' } },
  { type: 'logged', key: 'k', level: 'warn', message: 'm', fields: '{}' },
  { type: 'returned', key: 'k', json: '1', clean: true },
  { type: 'threw', key: 'k', failure: { ...failure, retryAfterMs: 5 }, clean: false },
  { type: 'crashed', key: null, failure },
  { type: 'crashed', key: 'k', failure },
];

describe('readReport', () => {
  it.each(REPORTS)('takes $type as it is', (report) => {
    expect(readReport(report)).toBe(report);
  });

  it.each([
    ...[null, undefined, 1, 'ready', [], {}, { type: 'constructor' }, { type: 1 }, { type: 'not-loaded' }],
    { type: 'crashed' },
    { type: 'crashed', key: 'k' },
    { type: 'crashed', key: 1, failure },
    { type: 'threw', key: 'k', failure: { ...failure, message: 1 }, clean: true },
    { type: 'threw', key: 'k', failure: { ...failure, deferMs: 'soon' }, clean: true },
    { type: 'threw', key: 'k', failure },
    { type: 'returned', key: 'k', json: 1, clean: true },
    { type: 'returned', json: '1', clean: true },
    { type: 'logged', key: 'k', level: 'constructor', message: 'm', fields: '{}' },
    { type: 'logged', key: 'k', level: 'info', message: 'm', fields: '{' },
    { type: 'logged', key: 'k', level: 'info', message: 'm', fields: '1' },
    { type: 'logged', key: 'k', level: 'info', message: {}, fields: '{}' },
    { type: 'asked', key: 'k', ask: 1 },
    { type: 'asked', key: 'k', ask: '1', wanted: { what: 'release', id: '1' } },
    { type: 'asked', key: 'k', ask: 1, wanted: { what: 'toString' } },
    { type: 'asked', key: 'k', ask: 1, wanted: { what: 'register', kind: 'a' } },
  ])('cannot read %j', (message) => {
    expect(readReport(message)).toBe(UNREADABLE);
  });
});
