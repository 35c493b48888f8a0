/** What every ledger promises about Zarr stores, whatever database it stands on. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LedgerFactory } from './contract.ts';
import { DAY, NEXT_DAY, PROVISIONAL, QUICKLOOK, createClock, download, product, temporaryFolder } from './support.ts';

const STORE = 'file:///srv/reach.zarr';
const OBJECTS = { dose_rate: 'd'.repeat(64), lat: null };

export function describeZarrRecords(name: string, open: LedgerFactory): void {
  describe(`${name}: Zarr stores`, () => {
    async function setUp() {
      const root = temporaryFolder();
      const ledger = await open(root, createClock().now);
      const next = product(root, { day: NEXT_DAY, path: join(root, 'products', 'next.cdf'), sha256: 'c'.repeat(64) });
      await ledger.putArtifact(download(root));
      await ledger.putArtifact(next);
      await ledger.putArtifact(product(root));
      const changes = (store = STORE) => ledger.zarrChanges(store, QUICKLOOK, null, 10);
      const listed = [product(root), next].map(({ day, path, sha256 }) => ({ day, path, sha256 }));
      return { root, ledger, listed, changes };
    }

    test('APPEND-2: the list has the current products that a store lacks, ascending; a day synced is off it', async () => {
      const { ledger, listed, changes } = await setUp();
      expect(await changes()).toEqual(listed);
      await ledger.putZarrDays(STORE, QUICKLOOK, [{ ...listed[0]!, objects: OBJECTS }]);
      await ledger.putZarrDays(STORE, QUICKLOOK, [{ ...listed[0]!, objects: OBJECTS }]);
      expect(await changes()).toEqual([listed[1]]);
      expect(await changes('s3://another/store')).toEqual(listed);
      expect(await ledger.zarrDays(STORE)).toEqual([{ ...listed[0], objects: OBJECTS }]);
    });

    test('APPEND-2: a product touched but unchanged is not on the list, one of other content is', async () => {
      const { root, ledger, listed, changes } = await setUp();
      const rows = listed.map((day) => ({ ...day, objects: OBJECTS }));
      await ledger.putZarrDays(STORE, QUICKLOOK, rows);
      await ledger.putArtifact(product(root, { mtimeMs: 1_800_000_000_000 }));
      expect(await changes()).toEqual([]);
      await ledger.putArtifact(product(root, { sha256: 'e'.repeat(64) }));
      expect(await changes()).toEqual([{ ...listed[0], sha256: 'e'.repeat(64) }]);
    });

    test('the list comes in pieces, and of one product alone', async () => {
      const { ledger, listed } = await setUp();
      expect(await ledger.zarrChanges(STORE, QUICKLOOK, null, 1)).toEqual([listed[0]]);
      expect(await ledger.zarrChanges(STORE, QUICKLOOK, DAY, 1)).toEqual([listed[1]]);
      expect(await ledger.zarrChanges(STORE, PROVISIONAL, null, 10)).toEqual([]);
    });

    test('a store that is forgotten lacks everything; one that takes the place of another has what that one had', async () => {
      const { ledger, listed, changes } = await setUp();
      const fresh = `${STORE}.rebuild`;
      await ledger.putZarrDays(STORE, QUICKLOOK, [{ ...listed[0]!, objects: {} }]);
      await ledger.putZarrDays(fresh, QUICKLOOK, [{ ...listed[1]!, objects: OBJECTS }]);
      await ledger.renameZarrStore(fresh, STORE);
      await ledger.renameZarrStore(fresh, STORE);
      expect(await ledger.zarrDays(STORE)).toEqual([{ ...listed[1], objects: OBJECTS }]);
      await ledger.forgetZarrDays(STORE);
      expect(await changes()).toEqual(listed);
    });
  });
}
