import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { UncaughtEvent } from '@app/lifecycle';
import { runWithContext } from '@app/telemetry';
import { Containment } from './containment.js';
import { handlerError } from './handler-error.js';

const TASK = { taskId: '01890000-0000-7000-8000-000000000000', attempt: 2 };

describe('Containment', () => {
  const fail = jest.fn<(taskId: string, attempt: number, error: Error) => boolean>();
  const error = jest.fn();
  const request = jest.fn<() => boolean>();
  const real = process.exit;
  let contains: ((thrown: unknown, event: UncaughtEvent) => boolean) | null = null;
  const rejected = (thrown: unknown): boolean | undefined => contains?.(thrown, 'unhandledRejection');
  let exited: unknown[] = [];
  let undo: () => void = () => undefined;

  beforeEach(() => {
    exited = [];
    fail.mockReset().mockReturnValue(true);
    error.mockReset();
    request.mockReset().mockReturnValue(true);
    process.exit = (code) => exited.push(code) as never;
    const shutdown = { onUncaught: (contained: typeof contains) => void (contains = contained), request };
    undo = new Containment({ fail }, shutdown, { error }).start();
  });

  afterEach(() => {
    undo();
    process.exit = real;
  });

  it('fails the attempt that a floating rejection comes from', () => {
    const thrown = new Error('lost');
    expect(runWithContext(TASK, () => rejected(thrown))).toBe(true);
    expect(fail).toHaveBeenCalledWith(TASK.taskId, 2, expect.objectContaining({ code: 'floating-rejection', retryable: true }));
    expect(fail.mock.calls[0]?.[2].message).toBe('A promise that nobody awaited was rejected: lost');
    expect(error).toHaveBeenCalledWith({ error: handlerError(thrown), attemptEnded: false }, expect.stringContaining('Its attempt fails.'));
  });

  it('only tells of one whose attempt is over', () => {
    fail.mockReturnValue(false);
    expect(runWithContext(TASK, () => rejected('late'))).toBe(true);
    expect(error).toHaveBeenCalledWith(
      { error: { type: 'string', frames: [] }, attemptEnded: true },
      expect.stringContaining('Its attempt was over.'),
    );
  });

  it('leaves what comes from nobody to whoever asked', () => {
    expect(rejected(new Error('ours'))).toBe(false);
    expect(runWithContext({ requestId: 'r' }, () => rejected(new Error('ours')))).toBe(false);
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

  it('deals with its own refusal where nobody catches it, as in a timer, and with no other exception', () => {
    const refusals: unknown[] = [];
    try {
      runWithContext(TASK, () => process.exit(3));
    } catch (refusal) {
      refusals.push(refusal);
    }
    error.mockClear();
    fail.mockClear();
    expect(contains?.(refusals[0], 'uncaughtException')).toBe(true);
    expect(rejected(refusals[0])).toBe(true);
    expect(runWithContext(TASK, () => contains?.(new Error('burst'), 'uncaughtException'))).toBe(false);
    expect([fail, error].map(({ mock }) => mock.calls)).toEqual([[], []]);
  });

  it('contains a hook, which has a task and no attempt, by telling of it', () => {
    const hook = { taskId: TASK.taskId };
    expect(runWithContext(hook, () => rejected(new Error('lost')))).toBe(true);
    expect(() => runWithContext(hook, () => process.exit(3))).toThrow(expect.objectContaining({ code: 'process-exit-refused' }));
    expect([fail.mock.calls, exited]).toEqual([[], []]);
    expect(error).toHaveBeenCalledTimes(2);
    expect(error).toHaveBeenCalledWith(expect.objectContaining({ hook: 'onAbandon' }), expect.stringContaining('onAbandon hook'));
  });

  it('turns an exit that belongs to no task, as in a listener that a module left behind, into an orderly stop', () => {
    const refusals: unknown[] = [];
    try {
      process.exit(0);
    } catch (refusal) {
      refusals.push(refusal);
    }
    expect(request).toHaveBeenCalledTimes(1);
    expect([exited, fail.mock.calls]).toEqual([[], []]);
    expect(contains?.(refusals[0], 'uncaughtException')).toBe(true);
  });

  it('lets a program exit that nobody stops in order, because it is somebody else’s', () => {
    request.mockReturnValue(false);
    process.exit(4);
    expect([exited, error.mock.calls]).toEqual([[4], []]);
  });

  it('is gone when it is undone', () => {
    undo();
    process.exit(4);
    runWithContext(TASK, () => process.exit(5));
    expect([exited, request.mock.calls]).toEqual([[4, 5], []]);
    expect(contains).toBeNull();
  });
});
