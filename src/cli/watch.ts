import type { Command } from 'commander';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { followRange } from './support/follow.ts';
import { listenForInterrupts } from './support/interrupts.ts';
import { listenForKey } from './support/keys.ts';
import { createLiveView } from './support/live-view.ts';
import { dayLinesOf } from './support/read-ledger.ts';
import { addSteerFlags, onRange } from './support/steer.ts';
import type { SteerFlags } from './support/steer.ts';
import { countersLine, failureLines } from './support/summary.ts';

/** `reachback watch`: follows an open range; leaving does not stop it. */
export function addWatchCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  addSteerFlags(
    program
      .command('watch')
      .summary('follow an open range')
      .description('Follow an open range. "q" or Ctrl-C leaves; the range goes on.'),
  )
    .option('--json', 'one JSON object per look')
    .action(async (range: string | undefined, given: SteerFlags & { json?: boolean }) => {
      const interrupts = listenForInterrupts(() => undefined);
      const key = context.interactive ? listenForKey('q') : null;
      const leave = AbortSignal.any([interrupts.signal, context.unread, ...(key ? [key.signal] : [])]);
      try {
        await onRange(context, given, range, async (session, handle, located) => {
          const mode = given.json === true ? 'json' : context.draws ? 'bars' : 'lines';
          const { product, options } = await session.client.progress(handle);
          const dayLines = dayLinesOf(context, located, product, options.uploadTo);
          const view = createLiveView(mode, context.print, { dayLines, hint: '  q leaves; the range goes on' });
          const workspace = located.name ?? '';
          const following = followRange(session, workspace, handle, view.show, leave, false, view.away);
          const followed = await following.finally(() => view.end());
          if (followed.end === 'finished') {
            for (const line of failureLines(followed.result)) context.print(line);
            context.print(countersLine(followed.result));
          } else {
            context.remark('Left; the range goes on.');
          }
        });
      } finally {
        key?.dispose();
        interrupts.dispose();
      }
      end(EXIT.ok);
    });
}
