/** Questions to a person at the terminal. */
import { cancel, isCancel, select } from '@clack/prompts';
import type { RangeProgress } from '../../core/backfill/range-progress.ts';
import type { Session } from './session.ts';

/** What to do when nothing but failed days is left. Leaving is offered only where the range outlives this process. */
export async function askAboutFailedDays(
  progress: RangeProgress,
  session: Session,
): Promise<'retry' | 'finish' | 'leave'> {
  const list = progress.recentFailures.map(({ day, stage, message }) => `${day} ${stage}: ${message}`).join('\n');
  const many = progress.failedDays === 1 ? 'One day has' : `${progress.failedDays} days have`;
  const choice = await select({
    message: `${many} failed:\n${list}\nWhat now?`,
    options: [
      { value: 'retry' as const, label: 'Retry them', hint: 'finished parts are kept' },
      { value: 'finish' as const, label: 'Finish the run', hint: 'they stay FAILED; --retry-failed tries them later' },
      ...(session.owned ? [] : [{ value: 'leave' as const, label: 'Leave it open', hint: 'for 24 hours' }]),
    ],
  });
  if (!isCancel(choice)) return choice;
  cancel(session.owned ? 'Finishing.' : 'Leaving the range open.');
  return session.owned ? 'finish' : 'leave';
}

/** Waits until the person has seen enough; resolves at once when the wait is interrupted. */
export async function askToStay(uiUrl: string): Promise<void> {
  for (;;) {
    const choice = await select({
      message: 'All is settled. The Temporal web UI can still be explored.',
      options: [
        { value: 'end' as const, label: 'End the demo', hint: 'server, worker and simulator stop' },
        { value: 'stay' as const, label: 'Stay up', hint: uiUrl },
      ],
    });
    if (isCancel(choice) || choice === 'end') return;
  }
}
