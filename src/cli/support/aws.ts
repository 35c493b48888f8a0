/** What a worker of this process is to know of AWS: flags win, then the environment, then the SDK's own chain. */
import type { Environment } from '../../config.ts';
import type { S3Settings } from '../../storage/s3/settings.ts';

export function s3Settings(environment: Environment, awsRegion: string | null): S3Settings {
  const { s3Endpoint, requestTimeoutMs } = environment;
  return { endpoint: s3Endpoint, region: awsRegion ?? environment.awsRegion, timeoutMs: requestTimeoutMs };
}
