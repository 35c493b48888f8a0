import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseDestination } from '../../src/storage/destination.ts';
import { destinationContract } from './destination-contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

const DESTINATION_MODULE = new URL('../../src/storage/destination.ts', import.meta.url).href;
const KEY = 'l1c/prelim/2026/01/01/a.cdf';

destinationContract('file:///dir', async () => {
  const folder = join(await temporaryFolder(), 'delivered here');
  return {
    destination: parseDestination(pathToFileURL(folder).href),
    read: (key) => readFile(join(folder, key)).catch(() => null),
    put: async (key, content) => {
      await mkdir(dirname(join(folder, key)), { recursive: true });
      await writeFile(join(folder, key), content);
    },
    keys: async () => {
      const entries = await readdir(folder, { recursive: true }).catch(() => []);
      const files = await Promise.all(
        entries.map(async (entry) => ((await stat(join(folder, entry))).isFile() ? [entry] : [])),
      );
      return files
        .flat()
        .filter((key) => !key.startsWith('.reachback/'))
        .toSorted();
    },
    readBackup: (backupPath) => readFile(backupPath),
  };
});

describe('a destination as an operator types it', () => {
  test.for([
    ['file:///srv/products', 'file:///srv/products'],
    ['file:///srv/products/', 'file:///srv/products'],
    ['file://localhost/srv/products', 'file:///srv/products'],
    ['file:///srv/my%20products', 'file:///srv/my%20products'],
    ['file:///srv/my products', 'file:///srv/my%20products'],
    ['s3://bucket', 's3://bucket'],
    ['s3://bucket/', 's3://bucket'],
    ['s3://my-bucket.1/reach/l1c/', 's3://my-bucket.1/reach/l1c'],
  ] as const)('%s is %s', ([text, base]) => {
    expect(parseDestination(text).base).toBe(base);
  });

  test.for([
    ['s3://', /"s3:\/\/": "" is no bucket name: expected 3 to 63/],
    ['s3://My_Bucket/x', /"My_Bucket" is no bucket name/],
    ['s3://bucket//x', /"\/x" is no prefix/],
    ['s3://bucket/a/../b', /"a\/..\/b" is no prefix/],
    ['s3://bucket/a?x=1', /"a\?x=1" is no prefix/],
    ['/srv/products', /"\/srv\/products": it is not a URI/],
    ['file:products', /the path must be absolute/],
    ['file://server/share', /the path must be absolute/],
    ['ftp://host/dir', /the scheme ftp:\/\/ is not known/],
    ['file:///dir?x=1', /no query/],
    ['file:///dir%2Fsub', /must not include encoded/],
    ['', /"": it is not a URI/],
  ] as const)('%s is refused with the reason', ([text, reason]) => {
    expect(() => parseDestination(text)).toThrow(
      expect.objectContaining({ kind: 'config_invalid', message: expect.stringMatching(reason) }),
    );
  });
});

describe('an unwritable folder', () => {
  test('is found before the run', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'products'), 'a file in the way');
    await expect(parseDestination(`file://${folder}/products`).check()).rejects.toMatchObject({
      kind: 'config_invalid',
      message: `Cannot deliver to file://${folder}/products: ${folder}/products is a file, not a folder.`,
    });
    await expect(parseDestination(`file://${folder}/products/sub`).check()).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('a part of the path is a file, not a folder (ENOTDIR)'),
    });
  });

  test('is named when it becomes so during the run', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'l1c'), 'a file in the way');
    const sourcePath = join(folder, 'product.cdf');
    await writeFile(sourcePath, 'abc');
    const delivering = parseDestination(`file://${folder}`).deliver({
      sourcePath,
      sizeBytes: 3,
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      key: KEY,
    });
    await expect(delivering).rejects.toMatchObject({
      kind: 'storage_unavailable',
      message: expect.stringContaining(`Cannot deliver file://${folder}/${KEY}: a part of the path is a file`),
    });
  });

  test('a folder under the key is not replaced', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, KEY), { recursive: true });
    const delivering = parseDestination(`file://${folder}`).deliver({
      sourcePath: '/x',
      sizeBytes: 1,
      sha256: '',
      key: KEY,
    });
    await expect(delivering).rejects.toMatchObject({
      kind: 'storage_unavailable',
      message: expect.stringContaining('is not a file'),
    });
  });
});

describe('CDF-D1: the note of who owns a key', () => {
  async function setUp() {
    const folder = await temporaryFolder();
    const base = join(folder, 'out');
    const destination = parseDestination(`file://${base}`);
    const deliver = async (owner: string, content: string) => {
      const sourcePath = join(folder, 'product.cdf');
      await writeFile(sourcePath, content);
      const sha256 = createHash('sha256').update(content).digest('hex');
      return destination.deliver({ sourcePath, sizeBytes: content.length, sha256, key: KEY, owner });
    };
    return { base, deliver, note: join(base, '.reachback', `${KEY}.json`) };
  }

  test('is one hidden file away from the products', async () => {
    const { base, deliver, note } = await setUp();
    await deliver('reach-101/quicklook', 'abc');
    expect(JSON.parse(await readFile(note, 'utf8'))).toEqual({
      owner: 'reach-101/quicklook',
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    });
    const entries = await readdir(base, { recursive: true });
    expect(entries.filter((entry) => entry.endsWith('.cdf'))).toEqual([KEY]);
    expect((await readdir(base)).toSorted()).toEqual(['.reachback', 'l1c']);
  });

  test('is written by the next delivery when a kill came between the file and the note', async () => {
    const { deliver, note } = await setUp();
    await deliver('a/quicklook', 'abc');
    await rm(note);
    await writeFile(join(dirname(note), '.a.cdf.json.4711-0badcafe.tmp'), '{"own');
    expect((await deliver('a/quicklook', 'abc')).status).toBe('already_there');
    await expect(deliver('a/provisional', 'def')).rejects.toMatchObject({ kind: 'path_owned' });
    expect(await readdir(dirname(note))).toEqual(['a.cdf.json']);
  });

  test('binds nobody once the file was taken away', async () => {
    const { base, deliver } = await setUp();
    await deliver('a/quicklook', 'abc');
    await rm(join(base, KEY));
    expect((await deliver('a/provisional', 'def')).status).toBe('written');
    await expect(deliver('a/quicklook', 'abc')).rejects.toMatchObject({ kind: 'path_owned' });
  });

  test.for(['', '{"owner":', 'null', '{"owner":7}'])(
    'that holds %j says nothing: the owner is unknown',
    async (text) => {
      const { deliver, note } = await setUp();
      await deliver('a/quicklook', 'abc');
      await writeFile(note, text);
      expect(await deliver('a/provisional', 'def')).toMatchObject({
        status: 'replaced',
        warning: expect.stringContaining('Nobody had noted'),
      });
    },
  );
});

describe('SAFE-5: a delivery that is killed', () => {
  test('never leaves part of a product under its name, and the next one clears what it left', async () => {
    const folder = await temporaryFolder();
    const base = join(folder, 'out');
    const sizeBytes = 4_000_000;
    const contents = ['a', 'b'].map((letter) => letter.repeat(sizeBytes));
    const deliveries = await Promise.all(
      contents.map(async (content, index) => {
        const sourcePath = join(folder, `${index}.cdf`);
        await writeFile(sourcePath, content);
        return { sourcePath, sizeBytes, sha256: createHash('sha256').update(content).digest('hex'), key: KEY };
      }),
    );
    const script = `
      import { parseDestination } from ${JSON.stringify(DESTINATION_MODULE)};
      const destination = parseDestination('file://${base}');
      for (let turn = 0; ; turn += 1) {
        await destination.deliver(${JSON.stringify(deliveries)}[turn % 2]);
        if (turn === 0) console.log('delivering');
      }
    `;
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      await sleep(round * 7);
      child.kill('SIGKILL');
      await ended;
      expect(contents).toContain(await readFile(join(base, KEY), 'utf8'));
    }
    const destination = parseDestination(`file://${base}`);
    for (const delivery of deliveries) await destination.deliver(delivery);
    expect(await readdir(dirname(join(base, KEY)))).toEqual(['a.cdf']);
  });
});
