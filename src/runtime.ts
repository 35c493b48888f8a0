/**
 * The SDK's runtime of this process: its log in our words, its figures for Prometheus. Installed once, before any connection.
 */
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { LogLevel, LogMetadata } from '@temporalio/worker';
import type { Logger } from 'pino';
import { ERROR_KINDS, PipelineError } from './core/errors.ts';
import { HISTOGRAM_BUCKETS } from './metrics.ts';

/**
 * Routes the SDK's own log into ours. Once per process, right before its first connection: it
 * keeps the process alive until that is closed.
 *
 * @param metricsAddress - `host:port` on which Prometheus finds `/metrics`; null for nowhere
 * @throws PipelineError `config_invalid` when that address cannot be used
 */
export function installRuntime(log: Logger, metricsAddress: string | null = null): void {
  const levels: Record<LogLevel, 'debug' | 'info' | 'warn' | 'error'> = {
    TRACE: 'debug',
    DEBUG: 'debug',
    // The SDK's information is about its own life: detail for us.
    INFO: 'debug',
    WARN: 'warn',
    ERROR: 'error',
  };
  const retries = createRetryTeller();
  const logger = new DefaultLogger('WARN', ({ level, message, meta }) => {
    // Two of our three workers have no workflows on purpose.
    if (message.startsWith('No workflows registered')) return;
    if (retries.isOne(message)) {
      log.debug({ ...meta }, message);
      const told = retries.tell(meta?.['error'], Date.now());
      if (told !== null) log.warn(told);
      return;
    }
    log[isTold(message, meta) ? 'debug' : levels[level]](withErrorInWords(meta), message);
  });
  const telemetryOptions = {
    logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
  };
  if (metricsAddress === null) {
    Runtime.install({ logger, telemetryOptions, shutdownSignals: [] });
    return;
  }
  const prometheus = {
    bindAddress: metricsAddress,
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
    histogramBucketOverrides: HISTOGRAM_BUCKETS,
  };
  try {
    Runtime.install({
      logger,
      telemetryOptions: { ...telemetryOptions, metrics: { prometheus } },
      shutdownSignals: [],
    });
  } catch (error) {
    throw new PipelineError('config_invalid', `Metrics cannot be served on ${metricsAddress}: ${String(error)}.`, {
      hint: 'Name a free address of this host with --metrics or REACHBACK_METRICS, such as 127.0.0.1:9464.',
      cause: error,
    });
  }
}

/** The SDK's facts of a line, with what an error says: as a fact of a line an error object shows nothing. */
export function withErrorInWords(meta: LogMetadata | undefined): Record<string, unknown> {
  const error: unknown = meta?.['error'];
  return { ...meta, ...(error instanceof Error && { error: wordsOf(error) }) };
}

/** The engine's own errors say only which of its parts failed, and have the reason as their cause. */
function wordsOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${wordsOf(cause)}` : message;
}

/** Whether a line only repeats what was told where it happened, in words for people: failures of a kind, of an activity or a day. */
export function isTold(message: string, meta: LogMetadata | undefined): boolean {
  const ofDay = message === 'Workflow failed' && meta?.['workflowType'] === 'processDay';
  return (message === 'Activity failed' || ofDay) && hasKind(meta?.['error']);
}

function hasKind(error: unknown): boolean {
  const type = error instanceof ApplicationFailure ? error.type : undefined;
  return typeof type === 'string' && Object.hasOwn(ERROR_KINDS, type);
}

/** How often a server that stays away is told of. */
const TOLD_EVERY_MS = 60_000;

/**
 * The SDK tells each of its tries to reach a server, several a second, in words for its makers. One line a minute is enough.
 */
export function createRetryTeller(): {
  /** Whether a line of the SDK's log tells of such a try. */
  isOne(message: string): boolean;
  /** @returns the line for people, null when it was told lately */
  tell(error: unknown, nowMs: number): string | null;
} {
  let toldMs = -Infinity;
  return {
    isOne: (message) => /^gRPC call \w+ retried \d+ times$/.test(message),
    tell(error, nowMs) {
      if (nowMs - toldMs < TOLD_EVERY_MS) return null;
      toldMs = nowMs;
      const [, code = 'no answer', words = ''] = /code: (\w+), message: "([^"]*)"/.exec(String(error)) ?? [];
      const [, address = ''] = /ConnectError\("[^"]*", ([^,)]+)/.exec(String(error)) ?? [];
      const where = address === '' ? '' : ` at ${address}`;
      const why = words === '' ? code : `${code}, ${words}`;
      return `The Temporal server${where} does not answer (${why}); it is asked again until it does.`;
    },
  };
}
