/** Errors of S3 and of the way to it in plain words, each with what to do and whether trying again can help. */
import { PipelineError } from '../../core/errors.ts';
import type { ErrorKind } from '../../core/errors.ts';

/** What the words are about. */
export interface S3Place {
  /** `s3://bucket/prefix`, or the object's. */
  readonly uri: string;
  readonly bucket: string;
  /** Null for Amazon's. */
  readonly endpoint: string | null;
  /** Null when none is known. */
  readonly region: string | null;
  /** Whether it has worked before: credentials are then missing for a time, as when the machine's role cannot be renewed. */
  readonly worked?: boolean;
  /** What failed there; default `deliver to`. */
  readonly doing?: string;
}

/** The part of the SDK's errors that we read; all of it may be missing. */
interface SdkError {
  readonly name?: string;
  readonly Code?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string | undefined>> };
}

interface Words {
  readonly kind: ErrorKind;
  readonly what: string;
  readonly hint: string;
}

const LATER =
  'A run under way tries it again by itself; a command that has ended is repeated later: only what is left is done.';
const CREDENTIALS = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine';

const BY_CODE: Readonly<Record<string, (place: S3Place) => Words>> = {
  NoSuchBucket: noBucket,
  AccessDenied: ({ bucket }) => ({
    kind: 'config_invalid',
    what: 'access is denied',
    hint: `Let the worker's account list, read and write there: s3:ListBucket on ${bucket}, s3:GetObject and s3:PutObject on its objects.`,
  }),
  InvalidAccessKeyId: unknownKey,
  XAdminUserNotFound: unknownKey,
  SignatureDoesNotMatch: () => ({
    kind: 'config_invalid',
    what: 'the secret key does not fit the access key',
    hint: `Check ${CREDENTIALS}, for the worker.`,
  }),
  InvalidToken: () => ({
    kind: 'config_invalid',
    what: 'the session token does not fit there',
    hint: `Check AWS_SESSION_TOKEN, for the worker, and leave it out where the account has none: ${CREDENTIALS}.`,
  }),
  ExpiredToken: expired,
  TokenRefreshRequired: expired,
  RequestExpired: skewed,
  RequestTimeTooSkewed: skewed,
  EntityTooLarge: () => ({
    kind: 'config_invalid',
    what: 'the object is larger than the server takes in one request',
    hint: 'Raise the limit of the server, or deliver to a folder.',
  }),
  BadDigest: () => ({ kind: 'storage_unavailable', what: 'the content was damaged on its way', hint: LATER }),
  QuotaExceeded: full,
  XMinioStorageFull: full,
  NotImplemented: () => ({
    kind: 'config_invalid',
    what: 'the server lacks what safe writing needs: conditional writes (If-None-Match, If-Match) and SHA-256 checksums',
    hint: 'Use a newer version of the server, or another one.',
  }),
};

const BY_SYSTEM_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  EPROTO: 'it does not speak TLS there (http:// in place of https://?)',
};

/** HTTP status of an answer; null when there was none. */
export function statusOf(error: unknown): number | null {
  return (error as SdkError).$metadata?.httpStatusCode ?? null;
}

/** Whether the request may have been carried out all the same: no answer, or one of a server in trouble. */
export function isAmbiguous(error: unknown): boolean {
  const status = statusOf(error);
  return status === null || status >= 500 || status === 408;
}

/** Whether a condition of the request did not hold: the object is another one than was looked at. */
export function isConflict(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409;
}

export function asS3Error(error: unknown, place: S3Place): PipelineError {
  if (error instanceof PipelineError) return error;
  const sdk = error as SdkError;
  const status = statusOf(error);
  const code = sdk.Code ?? (status === null ? sdk.code : undefined) ?? sdk.name ?? 'unknown';
  const { kind, what, hint } = wordsFor(sdk, code, status, place);
  const retryAfterMs = Number(sdk.$response?.headers?.['retry-after']) * 1000;
  return new PipelineError(
    kind,
    `Cannot ${place.doing ?? 'deliver to'} ${place.uri}: ${what} (${labelOf(code, status)}).`,
    {
      hint,
      context: { code, ...(status !== null && { status }) },
      ...(kind === 'storage_unavailable' && retryAfterMs > 0 && { retryAfterMs }),
      cause: error,
    },
  );
}

function wordsFor(sdk: SdkError, code: string, status: number | null, place: S3Place): Words {
  const region = regionOf(sdk, code);
  if (region !== null) return wrongRegion(place, region);
  const known = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
  if (known) return known(place);
  // Found by the SDK in an answer that had come whole.
  if (sdk.message?.startsWith('Checksum mismatch') === true) return BY_CODE['BadDigest']!(place);
  if (status === null) return unanswered(sdk, code, place);
  if (status === 404) return noBucket(place);
  if (status === 507) return full();
  if (status === 501) return BY_CODE['NotImplemented']!(place);
  if (isConflict({ $metadata: { httpStatusCode: status } })) {
    return { kind: 'storage_unavailable', what: 'somebody else wrote the object at the same time', hint: LATER };
  }
  if (status === 429 || status >= 500 || status === 408) {
    return { kind: 'storage_unavailable', what: 'the server is overloaded or in trouble', hint: LATER };
  }
  if (status === 403) return BY_CODE['AccessDenied']!(place);
  return { kind: 'storage_unavailable', what: `the server refused: ${sdk.message ?? 'without a reason'}`, hint: LATER };
}

/** The region that the bucket is in, from an answer that says so (301, or 400 with the signature of another region). */
function regionOf(sdk: SdkError, code: string): string | null {
  if (!['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'].includes(code)) {
    return statusOf(sdk) === 301 ? (sdk.$response?.headers?.['x-amz-bucket-region'] ?? 'another') : null;
  }
  const told =
    sdk.$response?.headers?.['x-amz-bucket-region'] ?? /expecting ['"]([\w-]+)['"]/.exec(sdk.message ?? '')?.[1];
  return told ?? 'another';
}

function wrongRegion({ bucket, region }: S3Place, actual: string): Words {
  const isNamed = actual !== 'another';
  return {
    kind: 'config_invalid',
    what: `the bucket ${bucket} is in ${isNamed ? `the region ${actual}` : 'another region'}, not in ${region ?? 'the one asked'}`,
    hint: `Set ${isNamed ? `--aws-region ${actual}` : '--aws-region'}, or AWS_REGION of the worker.`,
  };
}

function unanswered(sdk: SdkError, code: string, { endpoint, region, worked = false }: S3Place): Words {
  if (code === 'CredentialsProviderError') {
    if (worked) return expired();
    const hint = `Set ${CREDENTIALS}, for the worker. They are looked for as by every AWS tool.`;
    return { kind: 'config_invalid', what: 'no AWS credentials were found', hint };
  }
  if (sdk.message === 'Region is missing') {
    const hint = 'Set --aws-region, or AWS_REGION of the worker, such as eu-central-1.';
    return { kind: 'config_invalid', what: 'no AWS region is known', hint };
  }
  const server = endpoint ?? `Amazon S3 in ${region ?? 'its region'}`;
  const isTls = /CERT|SIGNATURE|SELF_SIGNED|ERR_TLS/.test(sdk.code ?? '');
  const systemCode = sdk.code ?? '';
  const timedOut = sdk.name === 'TimeoutError' && !Object.hasOwn(BY_SYSTEM_CODE, systemCode);
  const why = isTls
    ? 'its certificate is not trusted'
    : (BY_SYSTEM_CODE[systemCode] ?? (timedOut ? 'it does not answer in time' : (sdk.message ?? code)));
  const hint = isTls
    ? 'Name the certificate of its authority in NODE_EXTRA_CA_CERTS, for the worker.'
    : `Check AWS_ENDPOINT_URL_S3 and the network of the worker. ${LATER}`;
  return { kind: 'storage_unavailable', what: `${server} cannot be reached, ${why}`, hint };
}

function noBucket({ bucket, endpoint }: S3Place): Words {
  return {
    kind: 'config_invalid',
    what: `there is no bucket ${bucket} at ${endpoint ?? 'Amazon S3'}`,
    hint: 'Check the spelling, or make the bucket first: reachback makes none.',
  };
}

function unknownKey(): Words {
  return {
    kind: 'config_invalid',
    what: 'the access key is not known there',
    hint: `Check ${CREDENTIALS}, for the worker.`,
  };
}

function expired(): Words {
  return {
    kind: 'storage_unavailable',
    what: 'the AWS credentials have expired',
    hint: 'Renew the credentials of the worker and start it again; those of a role are asked for again by themselves. Days are tried again meanwhile.',
  };
}

function skewed(): Words {
  return {
    kind: 'storage_unavailable',
    what: 'the clock of the worker is wrong by more than a quarter of an hour',
    hint: 'Set the clock of the worker, by NTP. A run under way tries it again by itself.',
  };
}

function full(): Words {
  return { kind: 'disk_full', what: 'no room is left there', hint: 'Free some space there, then resume.' };
}

function labelOf(code: string, status: number | null): string {
  return status === null ? code : `HTTP ${status}${code === 'unknown' || code === 'Unknown' ? '' : `, ${code}`}`;
}
