import { expect, test } from 'vitest';
import { deliveryOf } from '../../../src/cli/support/delivery-flags.ts';
import type { DeliveryFlags } from '../../../src/cli/support/delivery-flags.ts';

test.for<[DeliveryFlags, ReturnType<typeof deliveryOf>]>([
  [{}, { uploadTo: null }],
  [{ uploadTo: 'file:///srv/products/' }, { uploadTo: 'file:///srv/products' }],
  [{ uploadTo: 's3://bucket/a/' }, { uploadTo: 's3://bucket/a' }],
  [{ uploadToS3: true, s3Bucket: 'bucket' }, { uploadTo: 's3://bucket' }],
  [
    { uploadTo: 's3://bucket', replace: true, backupPrefix: 'old/ones' },
    { uploadTo: 's3://bucket', replace: true, backupPrefix: 'old/ones' },
  ],
])('S3-4: %j is one destination in one spelling', ([given, expected]) => {
  expect(deliveryOf(given)).toEqual(expected);
});

test.for<[DeliveryFlags, RegExp]>([
  [{ uploadToS3: true }, /--upload-to-s3 needs a bucket/],
  [{ s3Bucket: 'bucket' }, /--s3-bucket alone delivers nothing/],
  [{ uploadToS3: true, s3Bucket: 'bucket', uploadTo: 's3://other' }, /both name a destination/],
  [{ uploadToS3: true, s3Bucket: 'My_Bucket' }, /"My_Bucket" is no bucket name/],
  [{ replace: true }, /--replace needs a destination/],
  [{ keepDownloads: 'failed' }, /--keep-downloads failed needs a destination/],
  [{ backupPrefix: 'x' }, /--backup-prefix needs a destination/],
  [{ uploadTo: 's3://bucket', backupPrefix: '/x' }, /--backup-prefix is "\/x"/],
  [{ uploadTo: 's3://bucket', backupPrefix: 'a//b' }, /--backup-prefix is "a\/\/b"/],
  [{ uploadTo: 's3://bucket', backupPrefix: '../a' }, /--backup-prefix is "\.\.\/a"/],
  [{ uploadTo: 's3://bucket', backupPrefix: 'a/.' }, /--backup-prefix is "a\/\."/],
])('CLI-7: %j is refused, naming the flag, with what to do', ([given, reason]) => {
  expect(() => deliveryOf(given)).toThrow(
    expect.objectContaining({
      kind: 'config_invalid',
      message: expect.stringMatching(reason),
      hint: expect.stringMatching(/\S/),
    }),
  );
});
