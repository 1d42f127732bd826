/**
 * Stops a process in order and in time. Parts register what they do at each stage; the stages run one after the other, the
 * parts of a stage side by side, and whatever fails or hangs does not keep the others from their turn. The caller arms the
 * exit by force, because a stop that waits for a part that never ends is the stop that needs an operator.
 */
import { within } from './deadline.js';

/** `drain`: take nothing new. `finish`: end or give back what is held. `close`: let go of connections. */
export const STAGES = ['drain', 'finish', 'close'] as const;
export type Stage = (typeof STAGES)[number];

/** How Node tells of an error that nobody caught. */
export type UncaughtEvent = 'uncaughtException' | 'unhandledRejection';

interface Part {
  name: string;
  run: (budgetMs: number) => Promise<void>;
}

export class Shutdown {
  private asked: ((reason: string) => void) | null = null;
  private contained: ((error: unknown, event: UncaughtEvent) => boolean) | null = null;

  private readonly parts = new Map<Stage, Part[]>(STAGES.map((stage) => [stage, []]));

  on(stage: Stage, name: string, run: (budgetMs: number) => Promise<void>): void {
    this.parts.get(stage)?.push({ name, run });
  }

  /** Set when an error that nobody caught ends the process: the task it came from, if that is known. */
  crashed: { taskId: string | null } | null = null;

  /** A part finds that this process should be replaced: it stops in order, with a non-zero code. False where nobody is there to stop it. */
  request(reason: string): boolean {
    this.asked?.(reason);
    return this.asked !== null;
  }

  /** Set by whoever stops the process. */
  onRequest(asked: (reason: string) => void): void {
    this.asked = asked;
  }

  /** Set by the part that knows where errors come from: what it answers true for is dealt with and ends nothing. */
  onUncaught(contained: ((error: unknown, event: UncaughtEvent) => boolean) | null): void {
    this.contained = contained;
  }

  /** Whether an error that nobody caught was dealt with; otherwise the process has to end. Asked in the error's context. */
  contains(error: unknown, event: UncaughtEvent): boolean {
    return this.contained?.(error, event) ?? false;
  }

  /** Runs one stage within `budgetMs`; returns what went wrong, by part. */
  async run(stage: Stage, budgetMs: number): Promise<{ part: string; error: unknown }[]> {
    const parts = this.parts.get(stage) ?? [];
    const ends = await Promise.allSettled(parts.map(async ({ name, run }) => within(run(budgetMs), budgetMs, name)));
    return ends.flatMap((end, index) =>
      end.status === 'fulfilled' ? [] : [{ part: parts[index]?.name ?? '', error: end.reason as unknown }],
    );
  }
}
