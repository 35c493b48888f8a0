/** A folder for one run of a drill, with all that the program may touch inside it. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startProgram } from './processes.ts';
import type { Started } from './processes.ts';
import type { Shape } from './scenario.ts';
import type { ArmedCrashPoint } from '../../storage/crash-point.ts';

const PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url));

export const MOST_REQUESTS_AT_ONCE = 4;
export const DAYS_AT_ONCE = 2;

const PACING = `--max-concurrent-requests ${MOST_REQUESTS_AT_ONCE} --initial-rate 1000 --max-rate 1000`.split(' ');

export interface RunPlace {
  readonly dir: string;
  readonly workspace: string;
  readonly delivered: string;
  /** The command under test. */
  readonly runArguments: readonly string[];
  readonly workerArguments: readonly string[];
  readonly serverArguments: readonly string[];
  /** Starts the program; its output goes to a file of its own in `dir`. */
  start(args: readonly string[], crashPoint?: ArmedCrashPoint): Started;
}

/** @param environment - of this process: PATH and the like are handed on, nothing that names a server, a ledger or a token */
export function makeRunPlace(
  dir: string,
  shape: Shape,
  sourceUrl: string,
  temporalBinary: string,
  environment: Readonly<Record<string, string | undefined>>,
): RunPlace {
  mkdirSync(dir, { recursive: true });
  const workspace = join(dir, 'workspace');
  const delivered = join(dir, 'delivered');
  const env = {
    PATH: environment['PATH'],
    TMPDIR: environment['TMPDIR'],
    HOME: dir,
    XDG_STATE_HOME: join(dir, 'state-home'),
    TEMPORAL_CLI_PATH: temporalBinary,
    UDL_BASE_URL: sourceUrl,
    BASICAUTH: 'Basic selftest',
    REACHBACK_PASS_WAIT_MS: '20',
    NO_COLOR: '1',
  };
  const dates = ['--start-date', shape.first, '--end-date', shape.last];
  const folders = ['--workspace', workspace, '--upload-to', pathToFileURL(delivered).href, '--no-space-check'];
  const pace = ['--concurrency', String(DAYS_AT_ONCE), ...PACING];
  let started = 0;
  return {
    dir,
    workspace,
    delivered,
    runArguments: ['run', ...dates, ...shape.flags, ...folders, ...pace],
    workerArguments: ['worker', '--workspace', workspace, ...PACING],
    serverArguments: ['dev', '--no-worker', '--workspace', workspace, '--json'],
    start(args, crashPoint) {
      started += 1;
      const logPath = join(dir, `process-${String(started).padStart(2, '0')}-${args[0]}.log`);
      const armed = crashPoint ? { REACHBACK_CRASH_POINT: `${crashPoint.point}:${crashPoint.nth}` } : {};
      return startProgram([PROGRAM, ...args], { cwd: dir, env: { ...env, ...armed }, logPath });
    },
  };
}

/** Begin of each slice that is finished on disk, POSIX milliseconds. */
export function slicesOnDisk({ workspace }: RunPlace): Set<number> {
  const names = readdirSync(join(workspace, 'downloads'), { recursive: true, encoding: 'utf8' });
  return new Set(names.flatMap((name) => startOfSliceFile(name) ?? []));
}

/** Of `…/20260101T000000000-20260101T060000000.slice`. */
function startOfSliceFile(path: string): number | null {
  const digits = /\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})-[^/]*\.slice$/.exec(path);
  if (!digits) return null;
  const [, year, month, day, hour, minute, second, fraction] = digits;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction}Z`);
}
