/**
 * Environment to one checked, frozen value. The only reader of `process.env` and `.env`; flags come from `src/cli` and win.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { PipelineError } from './core/errors.ts';
import { Secret } from './core/secret.ts';
import { CRASH_POINTS, parseCrashPoint } from './storage/crash-point.ts';
import type { ArmedCrashPoint } from './storage/crash-point.ts';

const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'expected an http:// or https:// address',
  )
  .transform((text) => text.replace(/\/+$/, ''));

const hostAndPort = z.string().regex(/^[^\s/]+:\d{1,5}$/, 'expected host:port');

/** What each variable must look like. An empty variable counts as unset (UDL-7). */
const VARIABLES = z.object({
  BASICAUTH: z
    .string()
    .regex(/^[\x20-\x7e\t]+$/, 'expected one line of plain ASCII, as an HTTP header carries it')
    .optional(),
  SECRET_ARN_UDL: z.string().regex(/^\S+$/, 'expected one word').optional(),
  SLACK_WEBHOOK_URL: httpUrl.optional(),
  AWS_ENDPOINT_URL_S3: httpUrl.optional(),
  AWS_ENDPOINT_URL: httpUrl.optional(),
  AWS_REGION: z.string().optional(),
  AWS_DEFAULT_REGION: z.string().optional(),
  UDL_BASE_URL: httpUrl.default('https://unifieddatalibrary.com'),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s/]+:\d+$/, 'expected host:port, such as 127.0.0.1:7233')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().optional(),
  REACHBACK_LEDGER_URL: z
    .string()
    .regex(/^(sqlite:|postgres(ql)?:\/\/)./, 'expected an address that begins with postgres:// or sqlite:')
    .optional(),
  REACHBACK_STAGING: z
    .string()
    .regex(/^s3:\/\/[^/]+\/./, 'expected s3://bucket/prefix')
    .optional(),
  REACHBACK_METRICS: hostAndPort.optional(),
  REACHBACK_HEALTH: hostAndPort.optional(),
  REACHBACK_PASS_WAIT_MS: z.coerce.number().int().min(1).max(300_000).default(5_000),
  REACHBACK_WAIT_INSIDE_MS: z.coerce.number().int().min(0).max(3_600_000).default(120_000),
  REACHBACK_REQUEST_TIMEOUT_MS: z.coerce.number().int().min(100).max(3_600_000).default(120_000),
  REACHBACK_THREADS: z.coerce.number().int().min(1).max(64).default(2),
  REACHBACK_CRASH_POINT: z
    .string()
    .refine((text) => parseCrashPoint(text) !== null, 'no place of that name')
    .transform(parseCrashPoint)
    .optional(),
});

const EXPECTED: Record<keyof z.infer<typeof VARIABLES>, string> = {
  BASICAUTH: 'the Authorization value for the UDL, such as "Basic …"',
  SECRET_ARN_UDL: 'the ARN of a secret in AWS Secrets Manager that holds the UDL token',
  SLACK_WEBHOOK_URL: 'the https:// address of an incoming webhook of Slack, or nothing for no notifications',
  AWS_ENDPOINT_URL_S3: 'the address of an S3 server, or nothing for Amazon S3',
  AWS_ENDPOINT_URL: 'the address of a server for all AWS services, or nothing for Amazon',
  AWS_REGION: 'an AWS region, such as eu-central-1',
  AWS_DEFAULT_REGION: 'an AWS region, such as eu-central-1',
  UDL_BASE_URL: 'the address of the UDL, such as https://unifieddatalibrary.com',
  TEMPORAL_ADDRESS: 'host:port of a Temporal server, or nothing for the embedded one',
  TEMPORAL_NAMESPACE: 'a namespace of that server',
  REACHBACK_LEDGER_URL:
    'postgres://user:password@host:5432/database, sqlite:/path/file.db, or nothing for a file in the workspace',
  REACHBACK_STAGING: 's3://bucket/prefix, where builders on other hosts get files from, or nothing',
  REACHBACK_METRICS: 'host:port on which a worker serves metrics, such as 127.0.0.1:9464, or nothing',
  REACHBACK_HEALTH: 'host:port on which a worker answers /healthz and /readyz, or nothing',
  REACHBACK_PASS_WAIT_MS: 'milliseconds before the first retry of a failed pass, 1 to 300000',
  REACHBACK_WAIT_INSIDE_MS: 'milliseconds of the longest pause that a download waits for at its place, 0 to 3600000',
  REACHBACK_REQUEST_TIMEOUT_MS: 'milliseconds for connecting and between bytes, 100 to 3600000',
  REACHBACK_THREADS: 'threads that fetch and scan, 1 to 64',
  REACHBACK_CRASH_POINT: `nothing; in tests, one of ${CRASH_POINTS.join(', ')}, with :n for the n-th time`,
};

/** Variables that hold secrets: their values never appear in an error text. */
const SECRETS = new Set(['BASICAUTH', 'REACHBACK_LEDGER_URL', 'SLACK_WEBHOOK_URL']);

export interface Environment {
  /** The UDL's Authorization value, null when none is set. */
  readonly token: Secret | null;
  /** Where the ledger is; null for a file in the workspace. May hold a password. */
  readonly ledgerUrl: Secret | null;
  /** Where operators are told of failures, itself a secret; null for nowhere. */
  readonly slackWebhook: Secret | null;
  /** Where AWS Secrets Manager keeps the token when `token` is null (UDL-7); null for nowhere. */
  readonly secretArn: string | null;
  /** An S3 server other than Amazon's; null for Amazon's. */
  readonly s3Endpoint: string | null;
  /** As the environment names it; null leaves it to the AWS SDK. */
  readonly awsRegion: string | null;
  /** Without a trailing slash. */
  readonly udlBaseUrl: string;
  /** Whether a Temporal server of the operator's is configured; otherwise the embedded one is used. */
  readonly externalTemporal: boolean;
  readonly temporalNamespace: string;
  /** `s3://bucket/prefix` where files are staged for builders on other hosts; null for nowhere. */
  readonly staging: string | null;
  /** `host:port` on which a worker serves metrics; null for nowhere. */
  readonly metrics: string | null;
  /** `host:port` on which a worker says that it is well; null for nowhere. */
  readonly health: string | null;
  /** First wait after a failed pass; later ones double up to five minutes. */
  readonly passWaitMs: number;
  /** Longer pauses give the download's slot back to the engine. */
  readonly waitInsideMs: number;
  /** Per request: connecting, and the time between two pieces of the body (UDL-6). */
  readonly requestTimeoutMs: number;
  readonly threads: number;
  /** Where this process ends itself as kill -9 would: a test facility, null otherwise. */
  readonly crashPoint: ArmedCrashPoint | null;
  /** Where programs of this user keep what should last, absolute: `$XDG_STATE_HOME`. */
  readonly stateHome: string;
  /** Where they keep what may be lost, absolute: `$XDG_CACHE_HOME`. */
  readonly cacheHome: string;
  /** All variables, `.env` included, for child processes and libraries with a chain of their own. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads the environment; `.env` in `folder` fills what it leaves unset.
 *
 * @throws PipelineError `config_invalid` naming the variable, the value and what is expected
 */
export function readEnvironment(processEnv: Readonly<Record<string, string | undefined>>, folder: string): Environment {
  const variables = { ...readDotEnv(folder), ...withoutEmpty(processEnv) };
  const parsed = VARIABLES.safeParse(variables);
  if (!parsed.success) throw invalidVariable(parsed.error, variables);
  const { data } = parsed;
  return Object.freeze({
    token: data.BASICAUTH === undefined ? null : new Secret(data.BASICAUTH),
    ledgerUrl: data.REACHBACK_LEDGER_URL === undefined ? null : new Secret(data.REACHBACK_LEDGER_URL),
    slackWebhook: data.SLACK_WEBHOOK_URL === undefined ? null : new Secret(data.SLACK_WEBHOOK_URL),
    secretArn: data.SECRET_ARN_UDL ?? null,
    s3Endpoint: data.AWS_ENDPOINT_URL_S3 ?? data.AWS_ENDPOINT_URL ?? null,
    awsRegion: data.AWS_REGION ?? data.AWS_DEFAULT_REGION ?? null,
    udlBaseUrl: data.UDL_BASE_URL,
    externalTemporal: data.TEMPORAL_ADDRESS !== undefined,
    temporalNamespace: data.TEMPORAL_NAMESPACE ?? 'default',
    staging: data.REACHBACK_STAGING ?? null,
    metrics: data.REACHBACK_METRICS ?? null,
    health: data.REACHBACK_HEALTH ?? null,
    passWaitMs: data.REACHBACK_PASS_WAIT_MS,
    waitInsideMs: data.REACHBACK_WAIT_INSIDE_MS,
    stateHome: homeOf(variables, 'XDG_STATE_HOME', '.local/state'),
    cacheHome: homeOf(variables, 'XDG_CACHE_HOME', '.cache'),
    requestTimeoutMs: data.REACHBACK_REQUEST_TIMEOUT_MS,
    threads: data.REACHBACK_THREADS,
    crashPoint: data.REACHBACK_CRASH_POINT ?? null,
    variables,
  });
}

/**
 * The AWS SDK finds credentials by a chain of its own, which begins with the process's variables: those of `.env` are put
 * there, and empty ones taken away.
 */
export function lendAwsVariables({ variables }: Environment, processEnv: Record<string, string | undefined>): void {
  const names = [...Object.keys(variables), ...Object.keys(processEnv)].filter((name) => name.startsWith('AWS_'));
  for (const name of names) {
    if (variables[name] === undefined) delete processEnv[name];
    else processEnv[name] = variables[name];
  }
}

/** As the XDG Base Directory Specification has it: a relative path is no path. */
function homeOf(variables: Readonly<Record<string, string | undefined>>, name: string, below: string): string {
  const given = variables[name];
  return given !== undefined && isAbsolute(given) ? given : join(variables['HOME'] ?? homedir(), below);
}

function withoutEmpty(variables: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => Boolean(entry[1])));
}

function readDotEnv(folder: string): Record<string, string> {
  const path = join(folder, '.env');
  if (!existsSync(path)) return {};
  try {
    return withoutEmpty(parseEnv(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new PipelineError('config_invalid', `Cannot read ${path}: ${(error as Error).message}`, {
      hint: 'Make the file readable for you alone (chmod 600), or remove it.',
      cause: error,
    });
  }
}

function invalidVariable(error: z.ZodError, variables: Readonly<Record<string, string | undefined>>): PipelineError {
  const issue = error.issues[0];
  const name = String(issue?.path[0]) as keyof typeof EXPECTED;
  const value = SECRETS.has(name) ? '(secret)' : `"${variables[name] ?? ''}"`;
  return new PipelineError('config_invalid', `The variable ${name} is ${value}: ${issue?.message ?? 'not usable'}.`, {
    hint: `Set ${name} to ${EXPECTED[name]}.`,
  });
}
