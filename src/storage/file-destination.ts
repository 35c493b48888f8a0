/** Delivery into a folder of this machine, or of a file server mounted here. */
import { constants, createReadStream } from 'node:fs';
import { access, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PipelineError } from '../core/errors.ts';
import { publishFile, temporaryName } from './atomic-file.ts';
import { backupFile } from './backup.ts';
import type { Delivery, DeliveryResult, Destination } from './destination.ts';
import { fileDigest } from './file-digest.ts';
import { errorCode, explainFsError, whyNotWritable } from './folders.ts';

export class FileDestination implements Destination {
  readonly base: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = resolve(folder);
    this.base = pathToFileURL(this.#folder).href;
  }

  async check(): Promise<void> {
    const reason = await whyNotWritable(this.#folder);
    if (reason === null) return;
    throw new PipelineError('config_invalid', `Cannot deliver to ${this.base}: ${reason}.`, {
      hint: 'Make the folder writable for the user that runs reachback, or name another with --upload-to.',
      context: { path: this.#folder },
    });
  }

  async deliver(delivery: Delivery): Promise<DeliveryResult> {
    const path = join(this.#folder, checkedKey(delivery.key));
    const uri = pathToFileURL(path).href;
    try {
      if (await holds(path, delivery)) return { status: 'already_there', uri };
      await requireSource(delivery.sourcePath);
      await mkdir(dirname(path), { recursive: true });
      await removeLeftoversOf(path);
      const temporary = temporaryName(path);
      try {
        await copyChecked(delivery, temporary);
        const occupied = await isFile(path);
        // Only now, with a checked copy at hand, is the former file touched (SAFE-11).
        const backupPath = occupied ? await backupFile(path, join(this.#folder, '_backup')) : undefined;
        await publishFile(temporary, path);
        return backupPath === undefined ? { status: 'written', uri } : { status: 'replaced', uri, backupPath };
      } finally {
        await rm(temporary, { force: true });
      }
    } catch (error) {
      throw asPipelineError(error, uri);
    }
  }
}

/** A key stays below the base: relative, without empty, hidden-by-dots or upward parts. */
function checkedKey(key: string): string {
  const unsafe = key.split('/').some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (unsafe) throw new PipelineError('invariant_broken', `"${key}" is not a key below a destination (S3-1).`);
  return key;
}

/** A killed delivery of this key may have left its temporary copy. Nobody else delivers the key: days run one at a time. */
async function removeLeftoversOf(path: string): Promise<void> {
  const prefix = `.${basename(path)}.`;
  const names = await readdir(dirname(path));
  const leftovers = names.filter((name) => name.startsWith(prefix) && name.endsWith('.tmp'));
  await Promise.all(leftovers.map((name) => rm(join(dirname(path), name), { force: true })));
}

async function requireSource(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
  } catch (error) {
    throw new PipelineError('input_invalid', `Cannot read the product ${path}: ${explainFsError(error)}.`, {
      hint: 'Run the same command again: a missing product is built anew from its download.',
      context: { path },
      cause: error,
    });
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isFile()) return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  throw new PipelineError('storage_unavailable', `${path} is not a file; a product cannot take its place.`, {
    hint: 'Move it out of the way, then run the same command with --retry-failed.',
    context: { path },
  });
}

async function holds(path: string, expected: Delivery): Promise<boolean> {
  if (!(await isFile(path)) || (await stat(path)).size !== expected.sizeBytes) return false;
  return (await fileDigest(path)).sha256 === expected.sha256;
}

/** Copies the source, synced, and compares what can be read back with what was announced. */
async function copyChecked(delivery: Delivery, temporary: string): Promise<void> {
  const target = await open(temporary, 'wx');
  try {
    for await (const chunk of createReadStream(delivery.sourcePath, { highWaterMark: 1 << 20 })) {
      await target.writeFile(chunk as Buffer);
    }
    await target.sync();
  } finally {
    await target.close();
  }
  const got = await fileDigest(temporary);
  if (got.sizeBytes === delivery.sizeBytes && got.sha256 === delivery.sha256) return;
  throw new PipelineError(
    'checksum_mismatch',
    `The copy of ${delivery.sourcePath} reads back as ${got.sizeBytes} bytes, SHA-256 ${got.sha256}; expected ${delivery.sizeBytes} bytes, ${delivery.sha256}. Nothing was delivered.`,
    {
      hint: 'The product was changed after it was built, or the disk is failing. Delete the product and run the same command: it is built again.',
      context: { path: delivery.sourcePath },
    },
  );
}

function asPipelineError(error: unknown, uri: string): unknown {
  const code = errorCode(error);
  if (error instanceof PipelineError || code === null) return error;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new PipelineError(
    full ? 'disk_full' : 'storage_unavailable',
    `Cannot deliver ${uri}: ${explainFsError(error)}.`,
    {
      hint: full
        ? 'Free some space at the destination, then resume.'
        : 'Make the destination writable and reachable, then run the same command with --retry-failed.',
      context: { code },
      cause: error,
    },
  );
}
