/** `s3://bucket/prefix` as an operator types it. */
import { PipelineError } from '../../core/errors.ts';

export interface S3Address {
  readonly bucket: string;
  /** Without slashes at its ends; empty for the bucket's root. */
  readonly prefix: string;
}

/** Amazon's rule for new buckets, which other servers keep to. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/**
 * @param doing - what was to be done there, for the message
 * @throws PipelineError `config_invalid` naming the text and what is expected
 */
export function parseS3Address(text: string, doing = 'deliver to'): S3Address {
  const problem = (what: string): PipelineError =>
    new PipelineError('config_invalid', `Cannot ${doing} "${text}": ${what}.`, {
      hint: 'Name a bucket, and a prefix if you like, as s3://bucket/prefix.',
    });
  const [bucket = '', ...parts] = text
    .replace(/^s3:\/\//, '')
    .replace(/\/$/, '')
    .split('/');
  if (!BUCKET.test(bucket)) {
    throw problem(`"${bucket}" is no bucket name: expected 3 to 63 lower-case letters, digits, dots and hyphens`);
  }
  // A reader of s3://bucket/a//b or of a key with a question mark would look elsewhere.
  if (parts.some((part) => !/^[\w!'()*. @+=,:&$-]+$/.test(part) || part === '.' || part === '..')) {
    throw problem(
      `"${parts.join('/')}" is no prefix: expected names of letters, digits and - _ . parted by single slashes`,
    );
  }
  return { bucket, prefix: parts.join('/') };
}
