/** What every destination promises (`src/storage/destination.ts`). A factory per implementation runs the same suite. */
import { createHash } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Delivery, Destination } from '../../src/storage/destination.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface DestinationUnderTest {
  readonly destination: Destination;
  /** The object's content, or null when there is none. */
  readonly read: (key: string) => Promise<Buffer | null>;
  /** Puts content under a key without the destination's help. */
  readonly put: (key: string, content: string) => Promise<void>;
  /** Every key that exists, backups and leftovers included; not what the destination remembers of owners. */
  readonly keys: () => Promise<string[]>;
  /** Content of a backup by the path that a delivery returned. */
  readonly readBackup: (backupPath: string) => Promise<Buffer>;
}

const KEY = 'l1c/prelim/2026/01/01/reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf';

export function destinationContract(name: string, create: () => Promise<DestinationUnderTest>): void {
  describe(`${name} keeps the destination contract`, () => {
    test('a new product is written whole under its key (S3-1)', async () => {
      const { destination, read, keys } = await create();
      const result = await destination.deliver(await product('first'));
      expect(result).toEqual({ status: 'written', uri: `${destination.base}/${KEY}` });
      expect((await read(KEY))?.toString()).toBe('first');
      expect(await keys()).toEqual([KEY]);
    });

    test('the same content again is no transfer, even without the source', async () => {
      const { destination, keys } = await create();
      const delivery = await product('first');
      await destination.deliver(delivery);
      const again = await destination.deliver({ ...delivery, sourcePath: '/nowhere/product.cdf' });
      expect(again).toEqual({ status: 'already_there', uri: `${destination.base}/${KEY}` });
      expect(await keys()).toEqual([KEY]);
    });

    test('a look tells size and, read in full, the hash of what stands there now; nothing when nothing does', async () => {
      const { destination, put, keys } = await create();
      expect(await destination.look(KEY, true)).toBeNull();
      const delivery = await product('first');
      await destination.deliver(delivery);
      const { sizeBytes, sha256 } = delivery;
      expect(await destination.look(KEY, true)).toEqual({ sizeBytes, sha256 });
      const quick = await destination.look(KEY, false);
      expect(quick?.sizeBytes).toBe(sizeBytes);
      expect([sha256, null]).toContain(quick?.sha256);
      await put(KEY, 'fIrst');
      const changed = await destination.look(KEY, true);
      expect(changed).toEqual({ sizeBytes, sha256: createHash('sha256').update('fIrst').digest('hex') });
      expect(await keys()).toEqual([KEY]);
    });

    test('SAFE-11: other content of the same size is replaced, the former one kept', async () => {
      const { destination, read, keys, readBackup } = await create();
      await destination.deliver(await product('former'));
      const result = await destination.deliver(await product('latter'));
      expect(result.status).toBe('replaced');
      expect((await read(KEY))?.toString()).toBe('latter');
      expect((await readBackup(result.backupPath!)).toString()).toBe('former');
      const backups = (await keys()).filter((key) => key !== KEY);
      expect(backups).toEqual([expect.stringMatching(new RegExp(`^_backup/\\d{8}T\\d{9}Z/${KEY}$`))]);
    });

    test('every replacement keeps one more', async () => {
      const { destination, keys, readBackup } = await create();
      const kept: string[] = [];
      for (const content of ['one', 'two', 'three', 'four']) {
        const { backupPath } = await destination.deliver(await product(content));
        if (backupPath !== undefined) kept.push((await readBackup(backupPath)).toString());
      }
      expect(kept).toEqual(['one', 'two', 'three']);
      expect(await keys()).toHaveLength(4);
    });

    test('SAFE-7: a cut object counts as other content', async () => {
      const { destination, read, put } = await create();
      const delivery = await product('the whole product');
      await put(KEY, 'the whole pro');
      expect((await destination.deliver(delivery)).status).toBe('replaced');
      expect((await read(KEY))?.toString()).toBe('the whole product');
    });

    test('a product that is not what was announced is refused and the former one stays', async () => {
      const { destination, read, keys } = await create();
      await destination.deliver(await product('former'));
      const delivery = await product('latter');
      await writeFile(delivery.sourcePath, 'LATTER');
      await expect(destination.deliver(delivery)).rejects.toMatchObject({ kind: 'checksum_mismatch' });
      expect((await read(KEY))?.toString()).toBe('former');
      expect(await keys()).toEqual([KEY]);
    });

    describe('CDF-D1: a key belongs to the product that delivered it', () => {
      const QUICKLOOK = 'reach-101/quicklook';
      const PROVISIONAL = 'reach-101/provisional';
      const of = async (owner: string, content: string): Promise<Delivery> => ({ ...(await product(content)), owner });

      test.for(['other content', 'first'])('another product is refused by both names (%s)', async (content) => {
        const { destination, read, keys } = await create();
        await destination.deliver(await of(QUICKLOOK, 'first'));
        const refused = destination.deliver(await of(PROVISIONAL, content));
        await expect(refused).rejects.toMatchObject({
          kind: 'path_owned',
          message: `${destination.base}/${KEY} belongs to ${QUICKLOOK}; ${PROVISIONAL} would replace it, as file names do not tell the two apart.`,
          hint: expect.stringContaining('another destination folder'),
          context: { key: KEY, owner: QUICKLOOK, product: PROVISIONAL },
        });
        expect((await read(KEY))?.toString()).toBe('first');
        expect(await keys()).toEqual([KEY]);
        expect((await destination.deliver(await of(QUICKLOOK, 'first'))).status).toBe('already_there');
      });

      test('its own product may replace it, without a warning', async () => {
        const { destination, read } = await create();
        expect(await destination.deliver(await of(QUICKLOOK, 'first'))).toMatchObject({ status: 'written' });
        const result = await destination.deliver(await of(QUICKLOOK, 'second'));
        expect(result).toEqual({ status: 'replaced', uri: result.uri, backupPath: expect.any(String) });
        expect((await read(KEY))?.toString()).toBe('second');
        await expect(destination.deliver(await of(PROVISIONAL, 'third'))).rejects.toMatchObject({ kind: 'path_owned' });
      });

      test('an object of unknown owner is kept, replaced with a warning, and owned from then on', async () => {
        const { destination, put, read, readBackup } = await create();
        await put(KEY, 'by another tool');
        const result = await destination.deliver(await of(QUICKLOOK, 'ours'));
        expect(result).toMatchObject({ status: 'replaced', warning: expect.stringContaining(result.backupPath!) });
        expect((await readBackup(result.backupPath!)).toString()).toBe('by another tool');
        expect((await read(KEY))?.toString()).toBe('ours');
        await expect(destination.deliver(await of(PROVISIONAL, 'x'))).rejects.toMatchObject({ kind: 'path_owned' });
      });

      test('an object of unknown owner with the same content is claimed without a transfer', async () => {
        const { destination, put, keys } = await create();
        await put(KEY, 'first');
        expect((await destination.deliver(await of(QUICKLOOK, 'first'))).status).toBe('already_there');
        expect(await keys()).toEqual([KEY]);
        await expect(destination.deliver(await of(PROVISIONAL, 'x'))).rejects.toMatchObject({ kind: 'path_owned' });
      });

      test('a delivery that fails claims nothing', async () => {
        const { destination } = await create();
        const delivery = await of(QUICKLOOK, 'first');
        await writeFile(delivery.sourcePath, 'FIRST');
        await expect(destination.deliver(delivery)).rejects.toMatchObject({ kind: 'checksum_mismatch' });
        expect((await destination.deliver(await of(PROVISIONAL, 'x'))).status).toBe('written');
      });
    });

    test('a missing product is named and leaves nothing', async () => {
      const { destination, keys } = await create();
      const delivery = { ...(await product('first')), sourcePath: '/nowhere/product.cdf' };
      await expect(destination.deliver(delivery)).rejects.toMatchObject({
        kind: 'input_invalid',
        message: expect.stringContaining('/nowhere/product.cdf'),
      });
      expect(await keys()).toEqual([]);
    });

    test('an empty product is a product', async () => {
      const { destination, read } = await create();
      expect((await destination.deliver(await product(''))).status).toBe('written');
      expect(await read(KEY)).toEqual(Buffer.alloc(0));
    });

    test('the source is left alone (S3-5)', async () => {
      const { destination } = await create();
      const delivery = await product('first');
      await destination.deliver(delivery);
      expect(await readFile(delivery.sourcePath, 'utf8')).toBe('first');
      expect(await readdir(dirname(delivery.sourcePath))).toEqual(['product.cdf']);
    });

    test.for(['../outside.cdf', '/outside.cdf', 'l1c//a.cdf', 'l1c/./a.cdf', ''])(
      'the key "%s" cannot leave the base',
      async (key) => {
        const { destination, keys } = await create();
        await expect(destination.deliver({ ...(await product('x')), key })).rejects.toMatchObject({
          kind: 'invariant_broken',
        });
        expect(await keys()).toEqual([]);
      },
    );

    test('check changes nothing', async () => {
      const { destination, keys } = await create();
      await destination.check();
      expect(await keys()).toEqual([]);
    });
  });
}

/** A product of this content, and how it is announced. */
async function product(content: string): Promise<Delivery> {
  const sourcePath = join(await temporaryFolder(), 'product.cdf');
  await writeFile(sourcePath, content);
  return {
    sourcePath,
    sizeBytes: Buffer.byteLength(content),
    sha256: createHash('sha256').update(content).digest('hex'),
    key: KEY,
    replace: true,
  };
}
