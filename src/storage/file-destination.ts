/** Delivery into a folder of this machine, or of a file server mounted here. */
import { constants, createReadStream } from 'node:fs';
import { access, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PipelineError } from '../core/errors.ts';
import { publishFile, removeLeftoversOf, temporaryName } from './atomic-file.ts';
import { backupFile } from './backup.ts';
import { crashPoint } from './crash-point.ts';
import type { Delivery, DeliveryResult, Destination } from './destination.ts';
import { fileDigest } from './file-digest.ts';
import { errorCode, explainFsError, whyNotWritable } from './folders.ts';
import { noteOwner, readOwner } from './object-owner.ts';

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
      const occupied = await isFile(path);
      if (occupied) await refuseOwned(this.#folder, delivery, uri);
      const result: DeliveryResult =
        occupied && (await holds(path, delivery))
          ? { status: 'already_there', uri }
          : await this.#write(delivery, path, uri);
      // After the rename: a kill between the two leaves a file of nobody, which the next delivery of the same content claims.
      if (delivery.owner !== undefined) {
        await noteOwner(this.#folder, delivery.key, { owner: delivery.owner, sha256: delivery.sha256 });
        crashPoint('upload-owner');
      }
      return result;
    } catch (error) {
      throw asPipelineError(error, uri);
    }
  }

  async #write(delivery: Delivery, path: string, uri: string): Promise<DeliveryResult> {
    await requireSource(delivery.sourcePath);
    await mkdir(dirname(path), { recursive: true });
    // Of a killed delivery of this key. Nobody else delivers it: days run one at a time.
    await removeLeftoversOf(path);
    const temporary = temporaryName(path);
    try {
      await copyChecked(delivery, temporary);
      crashPoint('upload-temporary');
      if (!(await isFile(path))) {
        await publishFile(temporary, path);
        crashPoint('upload-renamed');
        return { status: 'written', uri };
      }
      // Looked at again, as copying took its time. Only now, with a checked copy at hand, is the former file touched (SAFE-11).
      await refuseOwned(this.#folder, delivery, uri);
      const isKnown = delivery.owner === undefined || (await readOwner(this.#folder, delivery.key)) !== null;
      const backupPath = await backupFile(path, join(this.#folder, '_backup'));
      await publishFile(temporary, path);
      const warning = `Nobody had noted whose file ${uri} was; it was replaced and is kept as ${backupPath}`;
      return { status: 'replaced', uri, backupPath, ...(!isKnown && { warning }) };
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/** A key stays below the base: relative, without empty, hidden-by-dots or upward parts. */
function checkedKey(key: string): string {
  const unsafe = key.split('/').some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (unsafe) throw new PipelineError('invariant_broken', `"${key}" is not a key below a destination (S3-1).`);
  return key;
}

/** A file that another product delivered is not ours to replace, not even with a backup. */
async function refuseOwned(base: string, { key, owner }: Delivery, uri: string): Promise<void> {
  const noted = await readOwner(base, key);
  if (owner === undefined || noted === null || noted.owner === owner) return;
  throw new PipelineError(
    'path_owned',
    `${uri} belongs to ${noted.owner}; ${owner} would replace it, as file names do not tell the two apart.`,
    {
      hint: 'Give one of the two products another destination folder with --upload-to. Nothing was changed there.',
      context: { key, owner: noted.owner, product: owner },
    },
  );
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
  return (await stat(path)).size === expected.sizeBytes && (await fileDigest(path)).sha256 === expected.sha256;
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
