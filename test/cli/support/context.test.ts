import { describe, expect, test } from 'vitest';
import { createLogger } from '../../../src/cli/support/context.ts';

function linesOf(verbose: number, json: boolean): string[] {
  const lines: string[] = [];
  const log = createLogger(verbose, json, (line) => lines.push(line));
  log.debug('finely');
  log.info({ day: '2025-09-01', records: 7, recordsPerSensor: { 'REACH-101': 7 } }, 'day counted');
  log.warn('slowly');
  log.error({ hint: 'Look.' }, 'badly');
  return lines;
}

describe('CLI §4: the log', () => {
  test.for([
    [0, ['slowly', 'badly']],
    [1, ['day counted', 'slowly', 'badly']],
    [2, ['finely', 'day counted', 'slowly', 'badly']],
    [5, ['finely', 'day counted', 'slowly', 'badly']],
  ] as const)('with %i -v', ([verbose, messages]) => {
    const parsed = linesOf(verbose, true).map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(parsed).toEqual(messages);
  });

  test('lines for people: time, level, message, facts', () => {
    const [info, , error] = linesOf(1, false);
    expect(info).toMatch(
      /^\d\d:\d\d:\d\d info day counted day=2025-09-01 records=7 recordsPerSensor=\{"REACH-101":7\}$/,
    );
    expect(error).toMatch(/ error badly hint=Look\.$/);
  });
});
