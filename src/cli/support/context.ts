/** What a command sees of the world outside: environment, folder, terminal, log. Tests make their own. */
import pino from 'pino';
import type { Logger } from 'pino';
import { lendAwsVariables, readEnvironment } from '../../config.ts';
import type { Environment } from '../../config.ts';
import type { Secret } from '../../core/secret.ts';
import { letReadersLeave, writeAbove } from './screen.ts';

export interface CliContext {
  readonly environment: Environment;
  /** Whatever must appear in no error text, those looked up later included. */
  readonly secrets: Secret[];
  readonly cwd: string;
  /** The command as typed, for lock files and messages. */
  readonly commandLine: string;
  /** Whether a person sits at the terminal: both input and output are one. */
  readonly interactive: boolean;
  /** Whether lines on that terminal can be drawn anew. */
  readonly draws: boolean;
  /** Results and plans. */
  readonly print: (text: string) => void;
  /** Remarks for people while something runs; not part of the result. */
  readonly remark: (text: string) => void;
  /** Aborts when nobody reads the results any more. */
  readonly unread: AbortSignal;
}

export function createContext(): CliContext {
  const environment = readEnvironment(process.env, process.cwd());
  lendAwsVariables(environment, process.env);
  const interactive = process.stdin.isTTY && process.stdout.isTTY;
  return {
    environment,
    secrets: [environment.token, environment.ledgerUrl, environment.slackWebhook].filter((secret) => secret !== null),
    cwd: process.cwd(),
    commandLine: ['reachback', ...process.argv.slice(2)].join(' '),
    interactive,
    draws: interactive && process.env['TERM'] !== 'dumb',
    print: (text) => writeAbove(process.stdout, text),
    remark: (text) => writeAbove(process.stderr, text),
    unread: letReadersLeave([process.stdout, process.stderr]),
  };
}

const LEVEL_NAMES: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/**
 * Log on stderr: warnings, with -v information, with -vv everything (spec/cli.md §4).
 *
 * @param verbose - number of -v flags
 * @param json - one JSON object per line instead of text for people
 */
export function createLogger(verbose: number, json: boolean, write: (line: string) => void): Logger {
  const level = ['warn', 'info'][verbose] ?? 'debug';
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(options, { write: (line) => write(json ? line.trimEnd() : readableLine(line)) });
}

function readableLine(line: string): string {
  const { time, level, msg, ...rest } = JSON.parse(line) as { time: string; level: number; msg?: string };
  const facts = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [time.slice(11, 19), LEVEL_NAMES[level] ?? String(level), msg ?? '', ...facts].join(' ');
}
