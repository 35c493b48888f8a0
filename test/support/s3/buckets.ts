/** Buckets of a test, looked at from outside the program. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3Server } from './versitygw.ts';

export interface TestBucket {
  readonly name: string;
  /** Content of an object, of a former version when one is named; null when there is none. */
  read(key: string, versionId?: string): Promise<Buffer | null>;
  /** Stores content without a SHA-256, as other tools do. */
  put(key: string, content: string): Promise<void>;
  /** Every key, ascending. */
  keys(): Promise<string[]>;
  /** SHA-256 (base64) and metadata as the server tells them. */
  facts(key: string): Promise<{ sha256: string | undefined; metadata: Record<string, string> }>;
}

export function testClient({ endpoint, accessKeyId, secretAccessKey }: S3Server): S3Client {
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1', credentials });
}

/** Makes a bucket of a new name. */
export async function createBucket(client: S3Client, versioned = false): Promise<TestBucket> {
  const name = `reachback-${randomBytes(6).toString('hex')}`;
  await client.send(new CreateBucketCommand({ Bucket: name }));
  if (versioned) {
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
  }
  return {
    name,
    async read(key, versionId) {
      try {
        const which = { Bucket: name, Key: key, ...(versionId !== undefined && { VersionId: versionId }) };
        const { Body } = await client.send(new GetObjectCommand(which));
        const chunks: Buffer[] = [];
        for await (const chunk of Body as Readable) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks);
      } catch (error) {
        if ((error as Error).name === 'NoSuchKey') return null;
        throw error;
      }
    },
    async put(key, content) {
      await client.send(new PutObjectCommand({ Bucket: name, Key: key, Body: content }));
    },
    async keys() {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: name }));
      return Contents.map(({ Key }) => Key!).toSorted();
    },
    async facts(key) {
      const head = await client.send(new HeadObjectCommand({ Bucket: name, Key: key, ChecksumMode: 'ENABLED' }));
      return { sha256: head.ChecksumSHA256, metadata: head.Metadata ?? {} };
    },
  };
}
