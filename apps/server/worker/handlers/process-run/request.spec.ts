import { describe, expect, it } from '@jest/globals';
import { describeFailure } from '@app/handlers';
import { readRequest } from './request.js';

const ALLOWED = { programs: ['/bin/true', '/opt/render'], variables: ['LEVEL'] };

function refusal(payload: unknown): unknown {
  try {
    readRequest(payload, ALLOWED);
    return null;
  } catch (error) {
    return describeFailure(error);
  }
}

describe('readRequest', () => {
  it('fills what a task leaves open', () => {
    expect(readRequest({ program: '/bin/true' }, ALLOWED)).toEqual({
      program: '/bin/true',
      args: [],
      cwd: null,
      env: {},
      stdin: null,
      outputTailBytes: 8_192,
    });
  });

  it('takes what a task says', () => {
    const payload = { program: '/opt/render', args: ['-x', ''], cwd: '/srv', env: { LEVEL: '3' }, stdin: 'in', outputTailBytes: 0 };
    expect(readRequest(payload, ALLOWED)).toEqual(payload);
  });

  it.each([
    [null],
    ['/bin/true'],
    [[]],
    [{}],
    [{ program: 'true' }],
    [{ program: '/bin/../bin/true' }],
    [{ program: '/bin/true\0' }],
    [{ program: '/bin/true', shell: true }],
    [{ program: '/bin/true', args: 'x' }],
    [{ program: '/bin/true', args: [1] }],
    [{ program: '/bin/true', args: ['a\0b'] }],
    [{ program: '/bin/true', args: Array(257).fill('x') }],
    [{ program: '/bin/true', args: ['x'.repeat(98_304)] }],
    [{ program: '/bin/true', cwd: 'srv' }],
    [{ program: '/bin/true', cwd: '/srv/../etc' }],
    [{ program: '/bin/true', cwd: null }],
    [{ program: '/bin/true', env: ['A=1'] }],
    [{ program: '/bin/true', env: { LEVEL: 3 } }],
    [{ program: '/bin/true', env: { LEVEL: 'a\0' } }],
    [{ program: '/bin/true', stdin: 5 }],
    [{ program: '/bin/true', stdin: 'é'.repeat(524_289) }],
    [{ program: '/bin/true', outputTailBytes: 65_537 }],
    [{ program: '/bin/true', outputTailBytes: 1.5 }],
  ])('refuses for good what is not of its shape: %#', (payload) => {
    expect(refusal(payload)).toMatchObject({ permanent: true, code: 'invalid-payload' });
  });

  it('refuses what the operator has not listed', () => {
    expect(refusal({ program: '/bin/sh' })).toMatchObject({ permanent: true, code: 'program-not-allowed' });
    for (const name of ['LD_PRELOAD', 'PATH', 'toString']) {
      expect(refusal({ program: '/bin/true', env: { [name]: 'x' } })).toMatchObject({ permanent: true, code: 'variable-not-allowed' });
    }
  });
});
