/** A day that is done against the source: by its count, and where that cannot be had and the operator asks, by fetching it again. */
import { isPipelineError } from '../core/errors.ts';
import type { SourceCheck } from '../core/records/source-check.ts';
import type { ArtifactRow, CheckRow, SliceRow } from '../ledger/ledger.ts';
import { countArtifact } from '../products/reach-l1c/index.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { downloadDay, recheckDay } from './download/index.ts';
import type { DownloadDependencies, DownloadHooks, DownloadRequest, RecheckOutcome } from './download/index.ts';
import type { DayAttempt } from './types.ts';

/** The day is as it was. */
export interface Same {
  readonly outcome: 'same';
  readonly check: SourceCheck;
  readonly artifactSha256: string;
  /** Slices whose answers held something else beyond their ends. */
  readonly rows: readonly SliceRow[];
  readonly requests: number;
}

export type Looked =
  | Same
  | Exclude<RecheckOutcome, { outcome: 'same' | 'unknown' }>
  /** The day has no file any more that could stay: it is an ordinary download. */
  | { readonly outcome: 'download'; readonly requests: number };

/**
 * @throws as `downloadDay`, but never what would give up a day that is done
 */
export async function lookAgain(
  deps: ActivityDependencies,
  { input }: DayAttempt,
  parts: DownloadDependencies,
  request: DownloadRequest,
  hooks: DownloadHooks,
): Promise<Looked> {
  const { product, day, options } = input;
  const [facts] = await deps.ledger.dayFacts(product, day, day, null);
  const artifact = facts?.artifact;
  const requests = request.requestsBefore ?? 0;
  if (!artifact) return { outcome: 'download', requests };
  const former = facts.check;
  const looked = await recheckDay(
    parts,
    {
      ...request,
      records: artifact.records,
      sha256: artifact.sha256,
      recount: async (path, format, signal) => {
        const { records, distinctReadings, recordsPerSensor } = await countArtifact(
          path,
          format,
          signal ? { signal } : {},
        );
        return { records, distinctReadings, recordsPerSensor };
      },
    },
    hooks,
  );
  if (looked.outcome === 'same') return { ...looked, artifactSha256: artifact.sha256 };
  if (looked.outcome !== 'unknown') return looked;
  const unknown = { former, artifact, reason: looked.reason, requests: looked.requests };
  return options.refresh === true ? await fetchAgain(parts, request, hooks, unknown) : sameAsBefore(unknown);
}

interface Unknown {
  readonly former: CheckRow | null;
  readonly artifact: ArtifactRow;
  readonly reason: string;
  readonly requests: number;
}

/** Not compared: what was known stays known, and from when. */
function sameAsBefore({ former, artifact, reason, requests }: Unknown): Same {
  const askedAt = new Date().toISOString();
  const checkedAt = former?.checkedAt ?? artifact.createdAt;
  const check = { state: 'uncounted', kept: artifact.records, counted: null, reason, checkedAt, askedAt } as const;
  return { outcome: 'same', check, artifactSha256: artifact.sha256, rows: [], requests };
}

/** The whole day once more, compared byte by byte with what is here. */
async function fetchAgain(
  parts: DownloadDependencies,
  request: DownloadRequest,
  hooks: DownloadHooks,
  unknown: Unknown,
): Promise<Looked> {
  const { artifact, reason } = unknown;
  try {
    const again = { ...request, again: true, requestsBefore: unknown.requests };
    const done = await downloadDay(parts, again, hooks);
    if (done.outcome === 'no_data') {
      return sameAsBefore({ ...unknown, reason: `${reason}; asked again, ${done.reason}`, requests: done.requests });
    }
    if (done.sha256 !== artifact.sha256) return { outcome: 'changed', done, rows: [] };
    const at = new Date().toISOString();
    const check = done.check ?? {
      state: 'uncounted' as const,
      kept: artifact.records,
      counted: null,
      reason,
      checkedAt: at,
      askedAt: at,
    };
    return { outcome: 'same', check, artifactSha256: artifact.sha256, rows: [], requests: done.requests };
  } catch (error) {
    if (!isPipelineError(error) || error.retry !== 'never') throw error;
    // The day is done; that it could not be fetched once more does not undo it.
    const { requests } = error.context;
    return sameAsBefore({
      ...unknown,
      reason: `could not be fetched again: ${error.message}`,
      requests: typeof requests === 'number' ? requests : unknown.requests,
    });
  }
}
