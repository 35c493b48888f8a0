/**
 * Everything the simulator can be told; every option has a default.
 */
import type { ArchiveOptions } from './archive/options.ts';
import { invalid } from './archive/options.ts';
import type { FaultPlan } from './faults/plan.ts';
import type { RangeEnd } from './http/query.ts';
import type { RateLimit } from './traffic/token-bucket.ts';

export interface SimulatorOptions extends ArchiveOptions {
  /** Port on 127.0.0.1; 0 (default) takes a free one. */
  readonly port?: number;
  /** The only accepted `Authorization` value; by default any is, but one must be there. */
  readonly token?: string;
  /** Whether `a..b` selects records at `b`. Default `include`, as the source does. */
  readonly rangeEnd?: RangeEnd;
  /** Most records of one answer, further ones left out without a word. Default 10,000. */
  readonly cap?: number | 'none';
  /** Whether `/count` exists; else it answers 404. Default true. */
  readonly count?: boolean;
  /** Compress bodies for clients that accept gzip. Default false. */
  readonly gzip?: boolean;
  /** Bytes of finished bodies kept for repeated requests. Default 16 MiB; a full day is 930 MB, made anew in about 3 s. */
  readonly cacheBytes?: number;
  /** The server's own rate limit. Default none. */
  readonly rateLimit?: RateLimit;
  /** How long after a 429 with `Retry-After` arriving requests still count as on the wire, ms. Default 250. */
  readonly cooldownGraceMs?: number;
  /** Requests kept in the log. Default 5,000. */
  readonly logLength?: number;
  /** Faults from the start. Default none. */
  readonly faults?: FaultPlan;
}

export interface ServerSettings {
  readonly port: number;
  readonly token: string | undefined;
  readonly rangeEnd: RangeEnd;
  /** Infinity for none. */
  readonly cap: number;
  readonly count: boolean;
  readonly gzip: boolean;
  readonly cacheBytes: number;
  readonly rateLimit: RateLimit | undefined;
  readonly cooldownGraceMs: number;
  readonly logLength: number;
}

const DEFAULT_CACHE_BYTES = 16 * 1024 * 1024;

/** Checks what is not about data. @throws PipelineError `config_invalid` naming the option and its value */
export function resolveServerOptions(options: SimulatorOptions): ServerSettings {
  const {
    port = 0,
    cap = 10_000,
    cacheBytes = DEFAULT_CACHE_BYTES,
    cooldownGraceMs = 250,
    logLength = 5_000,
  } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalid('port', port, 'a whole number from 0 to 65535');
  if (cap !== 'none' && (!Number.isInteger(cap) || cap < 1))
    throw invalid('cap', cap, 'a positive whole number or none');
  for (const [name, value] of Object.entries({ cacheBytes, cooldownGraceMs, logLength })) {
    if (!Number.isFinite(value) || value < 0) throw invalid(name, value, 'a number from 0');
  }
  if (options.token === '') throw invalid('token', '""', 'a text that is not empty');
  const perSecond = options.rateLimit?.perSecond ?? 1;
  if (!(perSecond > 0)) throw invalid('rateLimit.perSecond', perSecond, 'a number above 0');
  return {
    port,
    token: options.token,
    rangeEnd: options.rangeEnd ?? 'include',
    cap: cap === 'none' ? Number.POSITIVE_INFINITY : cap,
    count: options.count ?? true,
    gzip: options.gzip ?? false,
    cacheBytes,
    rateLimit: options.rateLimit,
    cooldownGraceMs,
    logLength,
  };
}
