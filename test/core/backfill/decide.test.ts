import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ARTIFACT_STATES,
  BUILD_STATES,
  DOWNLOAD_STATES,
  PRODUCT_STATES,
  UPLOAD_STATES,
  decideDay,
  decisionFlags,
  limitDays,
} from '../../../src/core/backfill/decide.ts';
import type { DayDecision, DecisionFacts, DecisionFlags } from '../../../src/core/backfill/decide.ts';
import { isFinal, isRecheckDue } from '../../../src/core/backfill/recheck.ts';
import { STAGES } from '../../../src/core/backfill/types.ts';
import type { Stage } from '../../../src/core/backfill/types.ts';
import { addDays, parseDay } from '../../../src/core/time/day.ts';
import { NEW_DAY } from './new-day.ts';

const DOWNLOADED = { ...NEW_DAY, download: 'done', artifact: 'intact', counted: true, inputFound: true } as const;
const BUILT = { ...DOWNLOADED, build: 'done', product: 'intact', productCurrent: true } as const;
const DELIVERED = { ...BUILT, upload: 'done', delivered: true } as const;

const NO_FLAGS: DecisionFlags = {
  mode: 'run',
  retryFailed: false,
  upload: false,
  refresh: false,
  fetchReleased: false,
};

const MODES = ['run', 'download', 'process'] as const;

function* allFacts(): Generator<DecisionFacts> {
  const yesNo = [false, true];
  for (const download of DOWNLOAD_STATES)
    for (const artifact of ARTIFACT_STATES)
      for (const build of BUILD_STATES)
        for (const upload of UPLOAD_STATES)
          for (const product of PRODUCT_STATES)
            for (const counted of yesNo)
              for (const noDataFinal of yesNo)
                for (const inputFound of yesNo)
                  for (const productCurrent of yesNo)
                    for (const delivered of yesNo)
                      for (const recheckDue of yesNo)
                        yield Object.assign(
                          { download, artifact, build, upload, product },
                          { counted, noDataFinal, inputFound, productCurrent, delivered, recheckDue },
                        );
}

/** Each mode with the flags that it has. */
const ALL_FLAGS: readonly DecisionFlags[] = MODES.flatMap((mode) =>
  [false, true].flatMap((retryFailed) =>
    [false, true].flatMap((upload) =>
      (mode === 'process' ? [false] : [false, true]).map((more) => ({
        mode,
        retryFailed,
        upload,
        refresh: more && mode === 'run',
        fetchReleased: more && mode === 'download',
      })),
    ),
  ),
);

function isNothing(decision: DayDecision): boolean {
  return decision.stages.length === 0;
}

/**
 * The specification as rows, read from top to bottom: the first row whose words all fit decides. A word may list several
 * values; what a row does not name does not matter.
 */
type Row = readonly [when: Readonly<Record<string, unknown>>, action: string, source: string];

const DOWNLOAD_ROWS: readonly Row[] = [
  [{ download: 'failed', retry: false }, 'skip_failed', 'TEL-11'],
  [{ download: 'failed', retry: true }, 'run', 'TEL-11'],
  [{ download: 'noData', noDataFinal: true, refresh: true }, 'run', 'UDL-D14: --refresh'],
  [{ download: 'noData', noDataFinal: true }, 'skip_terminal', 'TEL-11'],
  [{ download: 'noData', noDataFinal: false }, 'run', 'UDL-D14'],
  [{ download: 'done', artifact: 'intact', counted: true }, 'skip_existing', 'TEL-11'],
  [{ download: ['none', 'pending', 'done'], artifact: 'released', fetchReleased: true }, 'run', '--fetch-released'],
  [{ download: 'done', artifact: 'released' }, 'skip_existing', 'CLI-19 with --keep-downloads'],
  [{ download: 'done', artifact: ['none', 'missing', 'changed'] }, 'run', 'TEL-11, SAFE-7'],
  [{ download: 'done', artifact: 'intact', counted: false }, 'run_count', 'a kill between download and count'],
  [{ download: ['none', 'pending'], artifact: 'intact', counted: true }, 'skip_existing', 'SAFE-6: taken up whole'],
  [{ download: ['none', 'pending'], artifact: 'intact', counted: false }, 'run_count', 'SAFE-6: taken up whole'],
  [{ download: ['none', 'pending'], artifact: 'released' }, 'skip_existing', 'SAFE-6'],
  [{ download: ['none', 'pending'] }, 'run', 'TEL-11'],
];

const PROCESS_ROWS: readonly Row[] = [
  [{ build: 'failed', retry: false }, 'skip_failed', 'TEL-15'],
  [{ wanted: true, upload: 'failed', retry: false }, 'skip_failed', 'TEL-15, per destination'],
  [{ build: 'failed', retry: true, input: true }, 'run_process', 'TEL-22, CLI-15'],
  [{ build: 'failed', retry: true, input: false }, 'skip_no_input', 'TEL-22'],
  [{ wanted: true, upload: 'failed', retry: true, cdf: true }, 'run_upload_only', 'TEL-22, CLI-14'],
  [{ wanted: true, upload: 'failed', retry: true, input: true }, 'run_process', 'TEL-22'],
  [{ wanted: true, upload: 'failed', retry: true, build: 'noInput' }, 'skip_terminal', 'TEL-15, TEL-D13'],
  [{ wanted: true, upload: 'failed', retry: true }, 'skip_no_input', 'TEL-22'],
  [{ wanted: true, delivered: true, current: true }, 'skip_existing', 'TEL-15 UPLOADED, TEL-D8'],
  [{ wanted: true, cdf: true }, 'run_upload_only', 'TEL-15 PROCESSED and UPLOAD_PENDING, CLI-17'],
  [{ wanted: false, cdf: true }, 'skip_existing', 'TEL-15 PROCESSED, TEL-D6'],
  [{ input: true }, 'run_process', 'TEL-15 and TEL-23'],
  [{ build: 'noInput' }, 'skip_terminal', 'TEL-15, CLI-18'],
  [{}, 'skip_no_input', 'TEL-15'],
];

const INPUT_ROWS: readonly Row[] = [
  [{ inputFound: false }, 'no', 'TEL-14'],
  [{ artifact: 'intact' }, 'yes', 'SAFE-7: whole by its hash'],
  [{ download: 'pending' }, 'no', 'TEL-24'],
  [{ download: 'failed', artifact: 'none' }, 'no', 'TEL-24'],
  [{}, 'yes', 'TEL-24'],
];

const usedRows = new Set<Row>();

/** The words of each row with the values that fit, taken apart once: millions of combinations are looked up. */
const CONDITIONS = new Map(
  [...DOWNLOAD_ROWS, ...PROCESS_ROWS, ...INPUT_ROWS].map((row) => [
    row,
    Object.entries(row[0]).map(([word, value]) => [word, Array.isArray(value) ? value : [value]] as const),
  ]),
);

function lookUp(rows: readonly Row[], words: Readonly<Record<string, unknown>>): string {
  const row = rows.find((each) => CONDITIONS.get(each)!.every(([word, values]) => values.includes(words[word])));
  if (row === undefined) throw new Error(`no row for ${JSON.stringify(words)}`);
  usedRows.add(row);
  return row[1];
}

function processByTable(facts: DecisionFacts, flags: DecisionFlags, input: boolean): string {
  return lookUp(PROCESS_ROWS, {
    ...facts,
    retry: flags.retryFailed,
    wanted: flags.upload,
    input,
    cdf: facts.product === 'intact' && facts.productCurrent,
    current: facts.product !== 'none' && facts.productCurrent,
  });
}

const STAGES_OF_ACTION: Readonly<Record<string, string>> = {
  run: 'download count',
  run_count: 'count',
  run_process: 'build upload?',
  run_upload_only: 'upload?',
};

function stagesOf(actions: readonly string[], upload: boolean): string {
  const words = actions.flatMap((action) => (STAGES_OF_ACTION[action] ?? '').split(' '));
  const wanted = words.filter((word) => word !== '' && (upload || word !== 'upload?'));
  return wanted.map((word) => word.replace('?', '')).join(' ');
}

const SKIP_OF_ACTION: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  download: { skip_existing: 'existing', skip_terminal: 'noData', skip_failed: 'failed' },
  process: { skip_existing: 'existing', skip_terminal: 'noInput', skip_failed: 'failed', skip_no_input: 'noInput' },
};

/** Stages and skip as the rows say, written like `build upload` or `skip existing`. */
function byTable(facts: DecisionFacts, flags: DecisionFlags): string {
  const download = lookUp(DOWNLOAD_ROWS, {
    ...facts,
    ...flags,
    retry: flags.retryFailed,
  });
  if (flags.mode === 'download') return stagesOf([download], false) || `skip ${SKIP_OF_ACTION['download']?.[download]}`;
  if (flags.mode === 'process') {
    const process = processByTable(facts, flags, lookUp(INPUT_ROWS, { ...facts }) === 'yes');
    return stagesOf([process], flags.upload) || `skip ${SKIP_OF_ACTION['process']?.[process]}`;
  }
  // `run` is `download`, then `process` with the artifact as its input; a day that one of them leaves is left.
  const process = processByTable(facts, flags, true);
  if (download === 'skip_failed') return 'skip failed';
  if (download === 'skip_terminal') return 'skip noData';
  if (process === 'skip_failed') return 'skip failed';
  const inputRemoved = facts.artifact === 'released' && process === 'run_process';
  // UDL-D14: a day that is done is looked at again; only what was wanted anyway is done when it is unchanged.
  const again = facts.download === 'done' && (flags.refresh || facts.recheckDue);
  if (download === 'skip_existing' && again && !inputRemoved) {
    return `recheck, ${stagesOf(['run', 'run_process'], flags.upload)}, anyway ${stagesOf([process], flags.upload)}`;
  }
  if (download === 'run' || inputRemoved) return stagesOf(['run', 'run_process'], flags.upload);
  return stagesOf([download, process], flags.upload) || 'skip existing';
}

function written({ stages, skip, recheck }: DayDecision): string {
  if (recheck) return `recheck, ${stages.join(' ')}, anyway ${recheck.anyway.join(' ')}`;
  return stages.join(' ') || `skip ${skip}`;
}

describe('TEL-11, TEL-15 with TEL-20…24 and the D-items', () => {
  test('every combination of facts and flags decides as the tables say', () => {
    const wrong: unknown[] = [];
    for (const facts of allFacts()) {
      for (const flags of ALL_FLAGS) {
        const expected = byTable(facts, flags);
        const found = written(decideDay(facts, flags));
        if (found !== expected && wrong.length < 5) wrong.push({ facts, flags, expected, found });
      }
    }
    expect(wrong).toEqual([]);
    const unused = [...DOWNLOAD_ROWS, ...PROCESS_ROWS, ...INPUT_ROWS].filter((row) => !usedRows.has(row));
    expect(unused).toEqual([]);
  });

  test('the action words of a phase are those of the tables', () => {
    const differs = (facts: DecisionFacts): boolean => {
      const flags = { retryFailed: false, upload: true, refresh: false, fetchReleased: false };
      const input = lookUp(INPUT_ROWS, { ...facts }) === 'yes';
      const download = decideDay(facts, { ...flags, mode: 'download' });
      const process = decideDay(facts, { ...flags, mode: 'process' });
      return (
        download.download !== lookUp(DOWNLOAD_ROWS, { ...facts, retry: false }) ||
        process.process !== processByTable(facts, { ...flags, mode: 'process' }, input)
      );
    };
    expect([...allFacts()].filter(differs).slice(0, 3)).toEqual([]);
  });
});

describe('the operator runbook', () => {
  const upload = true;
  const retryFailed = true;
  const cases: readonly (readonly [string, DecisionFacts, Partial<DecisionFlags>, string])[] = [
    ['a new day is done from the beginning', NEW_DAY, { upload }, 'download count build upload'],
    ['CLI-10: the interrupted day is done again', { ...NEW_DAY, download: 'pending' }, {}, 'download count build'],
    ['CLI-10: a finished day is skipped', DELIVERED, { upload }, 'skip existing'],
    ['CLI-11: a failed day waits for --retry-failed', { ...NEW_DAY, download: 'failed' }, {}, 'skip failed'],
    ['CLI-11: with it, it is asked for', { ...NEW_DAY, download: 'failed' }, { retryFailed }, 'download count build'],
    [
      'CLI-12: a deleted artifact is downloaded again',
      { ...DOWNLOADED, artifact: 'missing' },
      { mode: 'download' },
      'download count',
    ],
    ['SAFE-7: a truncated artifact is downloaded again', { ...BUILT, artifact: 'changed' }, {}, 'download count build'],
    [
      'CLI-14: a failed upload is uploaded, not built',
      { ...BUILT, upload: 'failed' },
      { mode: 'process', upload, retryFailed },
      'upload',
    ],
    [
      'CLI-15: a failed build is built from its input',
      { ...DOWNLOADED, build: 'failed' },
      { mode: 'process', retryFailed },
      'build',
    ],
    [
      'CLI-16: a deleted CDF is built again without a flag',
      { ...BUILT, product: 'missing' },
      { mode: 'process' },
      'build',
    ],
    ['CLI-17: built earlier, upload wanted now: upload only', BUILT, { mode: 'process', upload }, 'upload'],
    ['CLI-17: likewise in run', BUILT, { upload }, 'upload'],
    [
      'CLI-18: an input that arrived is processed',
      { ...NEW_DAY, build: 'noInput', inputFound: true },
      { mode: 'process' },
      'build',
    ],
    ['CLI-19: download after process asks nothing', DELIVERED, { mode: 'download' }, 'skip existing'],
    ['TEL-D1: process after that builds nothing', BUILT, { mode: 'process' }, 'skip existing'],
    [
      'TEL-D1: a failed build does not stop a download',
      { ...NEW_DAY, build: 'failed' },
      { mode: 'download' },
      'download count',
    ],
    [
      'TEL-D1: a failed re-download does not stop processing',
      { ...DOWNLOADED, download: 'failed' },
      { mode: 'process' },
      'build',
    ],
    [
      'TEL-23: another download makes another product',
      { ...DELIVERED, productCurrent: false },
      { upload },
      'build upload',
    ],
    [
      'TEL-24: a file that may be partial is no input',
      { ...NEW_DAY, download: 'pending', inputFound: true },
      { mode: 'process' },
      'skip noInput',
    ],
    [
      'TEL-24: a file brought by hand is',
      { ...NEW_DAY, download: 'noData', inputFound: true },
      { mode: 'process' },
      'build',
    ],
    [
      'TEL-D6: an interrupted upload is nobody’s business locally',
      { ...BUILT, upload: 'pending' },
      {},
      'skip existing',
    ],
    [
      'TEL-D8: delivered is the end, also when the file is deleted',
      { ...DELIVERED, product: 'missing' },
      { upload },
      'skip existing',
    ],
    ['TEL-D8: not without the upload', { ...DELIVERED, product: 'missing' }, {}, 'build'],
    ['another destination gets the product that is there', { ...BUILT, upload: 'none' }, { upload }, 'upload'],
    ['a killed count is done alone', { ...BUILT, counted: false }, {}, 'count'],
    [
      'a download removed after delivery is not missed',
      { ...DELIVERED, artifact: 'released' },
      { upload },
      'skip existing',
    ],
    ['by download neither', { ...DELIVERED, artifact: 'released' }, { mode: 'download' }, 'skip existing'],
    [
      'unless it is asked for',
      { ...DELIVERED, artifact: 'released' },
      { mode: 'download', fetchReleased: true },
      'download count',
    ],
    ['nor for another destination', { ...BUILT, artifact: 'released' }, { upload }, 'upload'],
    [
      'but fetched again for another profile',
      { ...DELIVERED, artifact: 'released', productCurrent: false },
      { upload },
      'download count build upload',
    ],
    [
      'UDL-D14: a young day without data is asked again',
      { ...NEW_DAY, download: 'noData', noDataFinal: false },
      {},
      'download count build',
    ],
    ['UDL-D14: an old one is not', { ...NEW_DAY, download: 'noData' }, {}, 'skip noData'],
    ['but with --refresh it is', { ...NEW_DAY, download: 'noData' }, { refresh: true }, 'download count build'],
    [
      'SAFE-13: a day that was done too soon is looked at again when it is due',
      { ...DELIVERED, recheckDue: true },
      { upload },
      'recheck, download count build upload, anyway ',
    ],
    [
      'UDL-D14: --refresh looks at every day that is done',
      { ...DELIVERED, artifact: 'released' },
      { upload, refresh: true },
      'recheck, download count build upload, anyway ',
    ],
    [
      'what is wanted besides is done also when nothing has come',
      { ...BUILT, recheckDue: true },
      { upload },
      'recheck, download count build upload, anyway upload',
    ],
    [
      'CLI-19: download alone never looks again',
      { ...DOWNLOADED, recheckDue: true },
      { mode: 'download' },
      'skip existing',
    ],
  ];
  test.for(cases)('%s', ([, facts, flags, expected]) => {
    expect(written(decideDay(facts, { ...NO_FLAGS, ...flags }))).toBe(expected);
  });
});

/** What the facts are once the stages have gone well. `sameBytes` tells whether what was made equals what was there. */
function after(facts: DecisionFacts, stages: readonly Stage[], sameBytes: boolean): DecisionFacts {
  // That a look is due is another run's business.
  const next = { ...facts, recheckDue: false };
  for (const stage of stages) {
    if (stage === 'download') Object.assign(next, { download: 'done', artifact: 'intact', counted: false });
    if (stage === 'download' && !sameBytes) Object.assign(next, { productCurrent: false });
    if (stage === 'count') Object.assign(next, { counted: true });
    if (stage === 'build') Object.assign(next, { build: 'done', product: 'intact', productCurrent: true });
    if (stage === 'build' && !sameBytes) Object.assign(next, { delivered: false });
    if (stage === 'upload') Object.assign(next, { upload: 'done', delivered: true });
  }
  return next;
}

describe('for every combination of facts and flags', () => {
  test('doing what was decided and deciding again: nothing is left', () => {
    const wrong: unknown[] = [];
    for (const facts of allFacts()) {
      for (const flags of ALL_FLAGS) {
        const { stages } = decideDay(facts, flags);
        if (stages.length === 0) continue;
        for (const sameBytes of [true, false]) {
          const again = decideDay(after(facts, stages, sameBytes), { ...flags, retryFailed: false, refresh: false });
          if (again.skip !== 'existing' && wrong.length < 5) wrong.push({ facts, flags, sameBytes, stages, again });
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('a finished day has nothing to do, whatever is asked', () => {
    for (const flags of ALL_FLAGS.filter(({ refresh }) => !refresh)) {
      expect(decideDay(DELIVERED, flags)).toMatchObject({ stages: [], skip: 'existing' });
    }
  });

  test('stages are in order, within the mode, and there or a reason to skip', () => {
    const allowed = { run: STAGES, download: ['download', 'count'], process: ['build', 'upload'] } as const;
    const isFine = (facts: DecisionFacts, flags: DecisionFlags): boolean => {
      const { stages, skip, reason } = decideDay(facts, flags);
      const inOrder = stages.every((stage, at) => at === 0 || STAGES.indexOf(stage) > STAGES.indexOf(stages[at - 1]!));
      const inMode = stages.every((stage) => (allowed[flags.mode] as readonly Stage[]).includes(stage));
      const complete = !stages.includes('download') || stages.includes('count');
      const wanted = flags.upload || !stages.includes('upload');
      const possible = !stages.includes('upload') || stages.includes('build') || facts.product === 'intact';
      return (
        inOrder &&
        inMode &&
        complete &&
        wanted &&
        possible &&
        reason !== '' &&
        (stages.length === 0) === (skip !== null)
      );
    };
    const wrong = [...allFacts()].filter((facts) => !ALL_FLAGS.every((flags) => isFine(facts, flags)));
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  test('--retry-failed changes nothing for a day without a failure', () => {
    const wrong = [...allFacts()]
      .filter((facts) => ![facts.download, facts.build, facts.upload].includes('failed'))
      .filter((facts) =>
        ALL_FLAGS.some((flags) => {
          const once = written(decideDay(facts, { ...flags, retryFailed: false }));
          return once !== written(decideDay(facts, { ...flags, retryFailed: true }));
        }),
      );
    expect(wrong.slice(0, 3)).toEqual([]);
  });
});

describe('UDL-D14: when "no data" is the last word', () => {
  test.for([
    ['2025-09-01', '2025-09-08T00:00:00+00:00', '2025-09-08', true],
    ['2025-09-01', '2025-09-07T23:59:59+00:00', '2025-09-07', false],
    ['2025-09-01', '2025-09-02T10:00:00+00:00', '2026-09-01', false],
    ['2025-09-01', '2026-09-01T10:00:00+00:00', '2026-09-01', true],
    ['2025-09-01', null, '2025-09-08', true],
    ['2025-09-01', 'someday', '2025-09-07', false],
    ['2025-09-01', '2030-01-01T00:00:00+00:00', '2025-09-02', false],
    ['2025-09-05', null, '2025-09-01', false],
  ] as const)('day %s, checked %s, today %s: %s', ([day, checkedAt, today, expected]) => {
    expect(isFinal(parseDay(day), 'QUICKLOOK', checkedAt, parseDay(today))).toBe(expected);
  });
});

describe('SAFE-13, UDL-D14: when a day is final, and when it is looked at again', () => {
  const day = parseDay('2025-09-01');
  const on = (date: string) => ({ checkedAt: `${date}T10:00:00.000Z`, askedAt: `${date}T10:00:00.000Z` });

  test.for([
    ['2025-09-01', '2025-09-02', true],
    ['2025-09-02', '2025-09-03', false],
    ['2025-09-02', '2025-09-04', true],
    ['2025-09-04', '2025-09-07', false],
    ['2025-09-04', '2025-09-08', true],
    ['2025-09-08', '2026-09-08', false],
    ['2025-09-02', '2026-09-08', true],
  ] as const)('QUICKLOOK, last looked at on %s, on %s: %s', ([last, today, due]) => {
    expect(isRecheckDue(day, 'QUICKLOOK', on(last), parseDay(today))).toBe(due);
  });

  test.for([
    ['2025-09-08', '2025-10-01', true],
    ['2025-10-01', '2025-12-29', false],
    ['2025-10-01', '2025-12-30', true],
    ['2025-12-30', '2026-12-30', false],
  ] as const)('PROVISIONAL, last looked at on %s, on %s: %s', ([last, today, due]) => {
    expect(isRecheckDue(day, 'PROVISIONAL', on(last), parseDay(today))).toBe(due);
    expect(isFinal(day, 'PROVISIONAL', on(last).checkedAt, parseDay(today))).toBe(last >= '2025-12-30');
  });

  test('a look in vain is not repeated before the next age, and makes nothing final', () => {
    const inVain = { ...on('2025-09-02'), askedAt: '2025-09-08T00:00:00.000Z' };
    expect(isRecheckDue(day, 'QUICKLOOK', inVain, parseDay('2025-09-20'))).toBe(false);
    expect(isRecheckDue(day, 'QUICKLOOK', inVain, parseDay('2025-10-01'))).toBe(true);
    expect(isFinal(day, 'QUICKLOOK', inVain.checkedAt, parseDay('2025-10-01'))).toBe(false);
    expect(isRecheckDue(day, 'QUICKLOOK', null, parseDay('2025-10-01'))).toBe(false);
  });

  test('property: whenever it is looked at as soon as it is due, a day becomes final after at most five looks', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        fc.constantFrom('QUICKLOOK', 'PROVISIONAL'),
        (first, descriptor) => {
          let times = on(addDays(day, first));
          let looks = 0;
          for (let age = first; age <= 400; age += 1) {
            if (!isRecheckDue(day, descriptor, times, addDays(day, age))) continue;
            times = on(addDays(day, age));
            looks += 1;
          }
          expect(looks).toBeLessThanOrEqual(5);
          expect(isFinal(day, descriptor, times.checkedAt, addDays(day, 400))).toBe(true);
        },
      ),
    );
  });
});

describe('TEL-25 with TEL-D7: the limit', () => {
  const work = { stages: ['download'] as Stage[] };
  const rest = { stages: [] as Stage[] };
  test.for([
    ['no limit keeps all', [work, rest, work], null, 3, false],
    ['days without work cost nothing', [rest, work, rest, work, rest], 2, 5, false],
    ['the first day too many ends it, with all behind', [work, rest, work, rest], 1, 2, true],
    ['zero keeps what leads', [rest, rest, work], 0, 2, true],
    ['an exact limit is no cut', [work, work], 2, 2, false],
    ['an empty plan', [], 1, 0, false],
  ] as const)('%s', ([, days, limit, count, limited]) => {
    expect(limitDays(days, limit)).toEqual({ kept: days.slice(0, count), limited });
  });

  test('never more days with work than the limit; what is kept leads the plan', () => {
    const plan = fc.array(fc.constantFrom(work, rest), { maxLength: 30 });
    fc.assert(
      fc.property(plan, fc.nat(5), (days, limit) => {
        const { kept, limited } = limitDays(days, limit);
        const worked = kept.filter((day) => day.stages.length > 0);
        expect(worked.length).toBeLessThanOrEqual(limit);
        expect(days.slice(0, kept.length)).toEqual(kept);
        expect(limited).toBe(kept.length < days.length);
      }),
    );
  });
});

test('flags come from the options; `download` never uploads', () => {
  const options = { profile: 'parity', sliceMode: 'half-open', limitDays: null, retryFailed: true } as const;
  expect(decisionFlags({ ...options, mode: 'run', uploadTo: 'file:///o' })).toEqual({
    mode: 'run',
    retryFailed: true,
    upload: true,
    refresh: false,
    fetchReleased: false,
  });
  const released = { ...options, fetchReleased: true, uploadTo: null } as const;
  expect(decisionFlags({ ...released, mode: 'download' }).fetchReleased).toBe(true);
  expect(decisionFlags({ ...released, mode: 'run' }).fetchReleased).toBe(false);
  const refreshed = { ...options, refresh: true, uploadTo: null } as const;
  expect(decisionFlags({ ...refreshed, mode: 'run' }).refresh).toBe(true);
  expect(decisionFlags({ ...refreshed, mode: 'download' }).refresh).toBe(false);
  expect(decisionFlags({ ...options, mode: 'download', uploadTo: 'file:///o' }).upload).toBe(false);
  expect(decisionFlags({ ...options, mode: 'process', uploadTo: null }).upload).toBe(false);
  expect(isNothing(decideDay(DELIVERED, decisionFlags({ ...options, mode: 'run', uploadTo: null })))).toBe(true);
});
