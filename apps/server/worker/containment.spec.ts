import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { runWithContext } from '@app/telemetry';
import { Containment } from './containment.js';

const TASK = { taskId: '01890000-0000-7000-8000-000000000000', attempt: 2 };

describe('Containment', () => {
  const fail = jest.fn<(taskId: string, attempt: number, error: Error) => boolean>();
  const error = jest.fn();
  const real = process.exit;
  let contains: ((thrown: unknown) => boolean) | null = null;
  let exited: unknown[] = [];
  let undo: () => void = () => undefined;

  beforeEach(() => {
    exited = [];
    fail.mockReset().mockReturnValue(true);
    error.mockReset();
    process.exit = (code) => exited.push(code) as never;
    const shutdown = { onRejection: (contained: typeof contains) => void (contains = contained) };
    undo = new Containment({ fail }, shutdown, { error }).start();
  });

  afterEach(() => {
    undo();
    process.exit = real;
  });

  it('fails the attempt that a floating rejection comes from', () => {
    const thrown = new Error('lost');
    expect(runWithContext(TASK, () => contains?.(thrown))).toBe(true);
    expect(fail).toHaveBeenCalledWith(TASK.taskId, 2, expect.objectContaining({ code: 'floating-rejection', retryable: true }));
    expect(fail.mock.calls[0]?.[2].message).toBe('A promise that nobody awaited was rejected: lost');
    expect(error).toHaveBeenCalledWith({ err: thrown, attemptEnded: false }, expect.stringContaining('Its attempt fails.'));
  });

  it('only tells of one whose attempt is over', () => {
    fail.mockReturnValue(false);
    expect(runWithContext(TASK, () => contains?.('late'))).toBe(true);
    expect(error).toHaveBeenCalledWith({ err: 'late', attemptEnded: true }, expect.stringContaining('Its attempt was over.'));
  });

  it('leaves what comes from nobody to whoever asked', () => {
    expect(contains?.(new Error('ours'))).toBe(false);
    expect(runWithContext({ requestId: 'r' }, () => contains?.(new Error('ours')))).toBe(false);
    expect(fail).not.toHaveBeenCalled();
  });

  it('refuses process.exit() in a handler, also by its name, and also where the handler swallows that', async () => {
    const { exit } = await import('node:process');
    for (const leave of [(): never => process.exit(3), (): never => exit(3)]) {
      expect(() => runWithContext(TASK, leave)).toThrow(expect.objectContaining({ code: 'process-exit-refused' }));
    }
    expect(fail).toHaveBeenCalledTimes(2);
    expect(exited).toEqual([]);
  });

  it('lets the program itself exit, and is gone when it is undone', () => {
    process.exit(4);
    undo();
    runWithContext(TASK, () => process.exit(5));
    expect(exited).toEqual([4, 5]);
    expect(contains).toBeNull();
  });
});
