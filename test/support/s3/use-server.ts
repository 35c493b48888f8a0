/** An S3 server for the tests of a file, with this process's AWS settings for it. Call it at the top of the file. */
import type { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, vi } from 'vitest';
import type { S3Settings } from '../../../src/storage/s3/settings.ts';
import { testClient } from './buckets.ts';
import { startS3Server } from './versitygw.ts';
import type { S3Server } from './versitygw.ts';

export interface UsedS3Server {
  /** Once tests run. */
  readonly server: S3Server;
  readonly client: S3Client;
  readonly settings: S3Settings;
}

export function useS3Server(): UsedS3Server {
  let server: S3Server;
  let client: S3Client;
  beforeAll(async () => {
    server = await startS3Server();
    for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
    client = testClient(server);
  }, 600_000);
  afterAll(async () => {
    client.destroy();
    await server.stop();
    vi.unstubAllEnvs();
  });
  return {
    get server() {
      return server;
    },
    get client() {
      return client;
    },
    get settings() {
      return { endpoint: server.endpoint, region: null, timeoutMs: 20_000 };
    },
  };
}
