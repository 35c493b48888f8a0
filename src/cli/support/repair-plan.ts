/** What a repair does about each finding, before anything is done. */
import type { Profile, RunMode } from '../../core/backfill/types.ts';
import type { ProductSlug } from '../../core/product.ts';
import { addDays } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import type { ArtifactRow } from '../../ledger/ledger.ts';
import type { Finding } from './verification.ts';

/** Days of one product that are made again by one run. */
export interface RepairRun {
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  /** `process` sends no request: the download is good. */
  readonly mode: RunMode;
  readonly profile: Profile;
}

export interface RepairPlan {
  /** Files that are other than they were: they are put aside. */
  readonly aside: readonly Finding[];
  readonly runs: readonly RepairRun[];
  /** Delivered again from the product that is here. */
  readonly uploads: readonly Finding[];
  /** Nobody can tell what is there. */
  readonly unreadable: readonly Finding[];
}

/** @param files - all present files of the days in question */
export function planRepair(findings: readonly Finding[], files: readonly ArtifactRow[]): RepairPlan {
  const broken = findings.filter(({ problem }) => problem !== 'unreadable');
  const brokenFiles = broken.filter(({ what }) => what !== 'upload');
  const days = new Map(brokenFiles.map(({ product, day }) => [`${product} ${day}`, { product, day }]));
  const single = [...days.values()]
    .map(({ product, day }) => runOf(product, day, brokenFiles, files))
    .toSorted((a, b) => (`${a.product} ${a.first}` < `${b.product} ${b.first}` ? -1 : 1));
  return {
    aside: brokenFiles.filter(({ problem }) => problem !== 'missing'),
    runs: joined(single),
    uploads: broken.filter(({ what }) => what === 'upload'),
    unreadable: findings.filter(({ problem }) => problem === 'unreadable'),
  };
}

function runOf(product: ProductSlug, day: Day, broken: readonly Finding[], files: readonly ArtifactRow[]): RepairRun {
  const ofDay = files.filter((file) => file.product === product && file.day === day);
  const made = ofDay.find(({ kind }) => kind === 'product');
  const hasDownload = ofDay.some(({ kind }) => kind === 'download');
  const isBroken = broken.some(
    (finding) => finding.product === product && finding.day === day && finding.what === 'download',
  );
  const mode = isBroken ? (made === undefined ? 'download' : 'run') : hasDownload ? 'process' : 'run';
  return { product, first: day, last: day, mode, profile: made?.profile ?? 'istp' };
}

/** Days that follow each other and are made in the same way are one run. */
function joined(runs: readonly RepairRun[]): RepairRun[] {
  const result: RepairRun[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    const follows =
      last?.product === run.product &&
      last.mode === run.mode &&
      last.profile === run.profile &&
      addDays(last.last, 1) === run.first;
    if (follows) result[result.length - 1] = { ...last, last: run.last };
    else result.push(run);
  }
  return result;
}
