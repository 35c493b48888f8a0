import { describe, expect, test } from 'vitest';
import { planRepair } from '../../../src/cli/support/repair-plan.ts';
import type { Finding } from '../../../src/cli/support/verification.ts';
import { addDays } from '../../../src/core/time/day.ts';
import { DAY, QUICKLOOK, download, product } from '../../ledger/support.ts';

const at = (days: number) => addDays(DAY, days);

function finding(days: number, what: Finding['what'], problem: Finding['problem'] = 'content'): Finding {
  return { product: QUICKLOOK, day: at(days), what, where: `/ws/${what}-${days}`, problem, detail: '' };
}

const bothOf = (days: number) => [
  download('/ws', { day: at(days) }),
  product('/ws', { day: at(days), profile: 'parity' }),
];
const runsOf = (findings: readonly Finding[], files = [0, 1, 2, 3].flatMap(bothOf)) =>
  planRepair(findings, files).runs.map(({ first, last, mode, profile }) => [first, last, mode, profile]);

describe('a repair makes again only what is broken', () => {
  test('a broken product is built from its download, without a request, in the profile it had', () => {
    expect(runsOf([finding(0, 'product', 'missing')])).toEqual([[at(0), at(0), 'process', 'parity']]);
  });

  test('a broken download is asked for again, and its product looked at', () => {
    expect(runsOf([finding(0, 'download')])).toEqual([[at(0), at(0), 'run', 'parity']]);
    expect(runsOf([finding(0, 'download'), finding(0, 'product')])).toEqual([[at(0), at(0), 'run', 'parity']]);
  });

  test('a download that never had a product gets none', () => {
    expect(runsOf([finding(0, 'download')], [download('/ws')])).toEqual([[at(0), at(0), 'download', 'istp']]);
  });

  test('a product whose download was removed after delivery needs it again', () => {
    expect(runsOf([finding(0, 'product')], [product('/ws')])).toEqual([[at(0), at(0), 'run', 'parity']]);
  });

  test('neighbouring days made in the same way are one run; a good day between is not touched', () => {
    const findings = [finding(3, 'product'), finding(0, 'product'), finding(1, 'product')];
    expect(runsOf(findings)).toEqual([
      [at(0), at(1), 'process', 'parity'],
      [at(3), at(3), 'process', 'parity'],
    ]);
    expect(runsOf([finding(0, 'product'), finding(1, 'download')]).map(([, , mode]) => mode)).toEqual([
      'process',
      'run',
    ]);
  });

  test('only files that are there are put aside; uploads are delivered again; what cannot be looked at is left alone', () => {
    const plan = planRepair(
      [
        finding(0, 'product', 'missing'),
        finding(1, 'product'),
        finding(2, 'upload'),
        finding(3, 'download', 'unreadable'),
      ],
      [0, 1, 2, 3].flatMap(bothOf),
    );
    expect(plan.aside.map(({ where }) => where)).toEqual(['/ws/product-1']);
    expect(plan.uploads.map(({ where }) => where)).toEqual(['/ws/upload-2']);
    expect(plan.unreadable.map(({ where }) => where)).toEqual(['/ws/download-3']);
    expect(plan.runs).toHaveLength(1);
  });
});
