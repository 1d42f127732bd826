import { describe, expect, it } from '@jest/globals';
import { runWithContext } from './request-context.js';
import { RUNNING_CONTEXT } from './running-context.js';

interface Answer {
  context: unknown;
  stack: string;
}

/** As the inspector does it, in the global scope. */
const evaluated = (): Answer => JSON.parse((0, eval)(RUNNING_CONTEXT) as string) as Answer;

describe('RUNNING_CONTEXT', () => {
  it('tells the ids that apply to the running code, and where it is', () => {
    const context = { taskId: 't', attempt: 3, handler: 'work' };
    const answer = runWithContext(context, evaluated);
    expect(answer.context).toEqual(context);
    expect(answer.stack).toContain('running-context.spec');
  });

  it('tells that none apply', () => {
    expect(evaluated().context).toBeNull();
  });
});
