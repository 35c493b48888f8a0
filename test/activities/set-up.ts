/**
 * The real activities over real parts: a workspace in a temporary folder with its ledger and telemetry, real builds, a
 * real file destination; the engine alone is stood in for. What is seen: every effect in its order.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger } from '@temporalio/worker';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { openZarrStore } from '../../src/activities/zarr/index.ts';
import { DEFAULT_S3_SETTINGS } from '../../src/storage/s3/settings.ts';
import { createActivities } from '../../src/activities/index.ts';
import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import type { Activities, DayAttempt, StageResult } from '../../src/activities/types.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Day } from '../../src/core/time/day.ts';
import { createGate } from '../../src/gate/index.ts';
import { openLedger } from '../../src/ledger/index.ts';
import type { ArtifactRow, Ledger } from '../../src/ledger/ledger.ts';
import { createUdlSource } from '../../src/sources/udl/index.ts';
import type { UdlSource } from '../../src/sources/udl/index.ts';
import { parseDestination } from '../../src/storage/destination.ts';
import { openWorkspace } from '../../src/storage/workspace.ts';
import type { Workspace } from '../../src/storage/workspace.ts';
import { ALL } from './day-attempt.ts';

export { ALL, dayAttempt } from './day-attempt.ts';

const TOKEN = 'Basic c2VjcmV0OnBhc3N3b3Jk';

export interface Place {
  readonly workspace: Workspace;
  readonly ledger: Ledger;
  readonly deps: ActivityDependencies;
  readonly activities: Activities;
  /** Effects in the order they began: methods of the ledger that write, and telemetry. */
  readonly effects: string[];
  /** Runs `act` when an effect of that name begins, before it; what it throws is what the effect throws. */
  before(effect: string, act: () => void): void;
  /** Forgets what `before` was told. */
  calm(): void;
  /** The day's rows: `<stage> <status>`. */
  rows(): Promise<string[]>;
  /** Bytes of the telemetry file. */
  telemetry(): string;
}

/** A place where effects can be watched and cut short. @param source - null: this worker has no token */
export async function createPlace(source: UdlSource | null = null): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'reachback-activities-'));
  const workspace = await openWorkspace({ dir: root });
  const { ledger, telemetry } = await openLedger({ workspace });
  onTestFinished(async () => {
    await ledger.close();
    await rm(root, { recursive: true, force: true });
  });
  const effects: string[] = [];
  const hooks = new Map<string, () => void>();
  const beginEffect = (name: string): void => {
    effects.push(name);
    hooks.get(name)?.();
  };
  const watched = new Proxy(ledger, {
    get(target, name: keyof typeof ledger) {
      const method = target[name] as (...args: unknown[]) => unknown;
      const writes = /^(open|close|fail)Stage$|^(put(Artifact|Counts|Delivery)|generationDate)$/.test(name);
      return writes
        ? async (...args: unknown[]) => {
            beginEffect(name);
            return await method.apply(target, args);
          }
        : method;
    },
  });
  const gate = createGate({ config: { ...fastPace(), passWaitMs: 1 } });
  const today = (): string => '2026-02-01';
  const log = pino({ enabled: false });
  const deps: ActivityDependencies = {
    workspace,
    ledger: watched,
    telemetry: {
      async flush() {
        beginEffect('telemetry');
        await telemetry.flush();
      },
    },
    gate,
    source,
    planning: { ledger: watched, folders: workspace, today, log },
    destinationAt: parseDestination,
    zarrStoreAt: (uri) => openZarrStore(uri, DEFAULT_S3_SETTINGS),
    log,
    today,
  };
  return {
    workspace,
    ledger,
    deps,
    activities: createActivities(deps),
    effects,
    before: (effect, act) => void hooks.set(effect, act),
    calm: () => hooks.clear(),
    rows: async () => (await ledger.attemptsAfter(0, 100)).map(({ stage, status }) => `${stage} ${status}`),
    telemetry: () => readFileSync(workspace.telemetryFile, 'utf8'),
  };
}

function fastPace() {
  return {
    maxConcurrentRequests: 4,
    initialRate: 1_000,
    minRate: 500,
    maxRate: 1_000,
    additiveIncrease: 1,
    multiplicativeDecrease: 0.5,
  };
}

export function sourceAt(baseUrl: string): UdlSource {
  return createUdlSource({ baseUrl, token: new Secret(TOKEN), threads: 1, requestTimeoutMs: 30_000 });
}

/** The engine for one try; failures are what tests look at, so that it need not log them. */
export function engine(attempt = 1): MockActivityEnvironment {
  return new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
}

type StageName = 'downloadWindow' | 'countRecords' | 'buildCdf' | 'uploadProduct';

/** One try of the engine at a stage. */
export async function tryStage(
  { activities }: Pick<Place, 'activities'>,
  name: StageName,
  day: DayAttempt,
  environment = engine(),
): Promise<StageResult> {
  return await environment.run((attempt: DayAttempt) => activities[name](attempt), day);
}

/** The failure that a try ends with. */
export async function failureOf(promise: Promise<unknown>): Promise<ApplicationFailure> {
  return await promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (error: unknown) => error as ApplicationFailure,
  );
}

/** Puts a downloaded day into the workspace, with its row, as a finished download leaves it (but without manifest). */
export async function putDownload(
  place: Place,
  day: Day,
  content: string | Buffer,
  product = ALL,
): Promise<ArtifactRow> {
  const name = `REACH-ALL_${day.replaceAll('-', '')}T000000_${nextDay(day).replaceAll('-', '')}T000000.csv`;
  const path = join(place.workspace.downloads, name);
  writeFileSync(path, content);
  const { size: sizeBytes, mtimeMs } = statSync(path);
  const row: ArtifactRow = {
    kind: 'download',
    product,
    day,
    path,
    sizeBytes,
    mtimeMs,
    sha256: sha256(content),
    records: 1,
    inputSha256: null,
    profile: null,
    version: null,
    createdAt: '2026-01-02T00:00:00.000Z',
  };
  await place.ledger.putArtifact(row);
  return row;
}

function nextDay(day: Day): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Files below a folder, hidden ones too, as paths from there. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** Content, and what changes when a file is written again. */
export function identity(path: string): { sha256: string; ino: number; mtimeMs: number } {
  const { ino, mtimeMs } = statSync(path);
  return { sha256: sha256(readFileSync(path)), ino, mtimeMs };
}

/** Writes a file below a folder that may not exist. */
export function putFile(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Whether a name is one that work gives to files under way. */
export function isTemporary(path: string): boolean {
  return basename(path).endsWith('.tmp') || /^\..*\.cdf\.\d+-/.test(basename(path));
}

export const KILLED = new Error('killed here');
