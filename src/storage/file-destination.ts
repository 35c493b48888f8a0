/** Delivery into a folder of this machine, or of a file server mounted here. */
import { createReadStream } from 'node:fs';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PipelineError } from '../core/errors.ts';
import { publishFile, removeLeftoversOf, temporaryName } from './atomic-file.ts';
import { backupFile } from './backup.ts';
import { crashPoint } from './crash-point.ts';
import { checkedKey, notAsAnnounced, refuseOwned, replacedUnknown, requireSource } from './delivery-checks.ts';
import type { Delivery, DeliveryHooks, DeliveryResult, Destination, StoredContent } from './destination.ts';
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

  recordedAs(key: string): { bucket: string; key: string } {
    return { bucket: this.base, key };
  }

  close(): void {
    // Files are closed as soon as they are written.
  }

  async look(key: string, deep: boolean): Promise<StoredContent | null> {
    const path = join(this.#folder, checkedKey(key));
    try {
      if (!(await isFile(path))) return null;
      return deep ? await fileDigest(path) : { sizeBytes: (await stat(path)).size, sha256: null };
    } catch (error) {
      throw asPipelineError(error, pathToFileURL(path).href);
    }
  }

  async deliver(delivery: Delivery, hooks: DeliveryHooks = {}): Promise<DeliveryResult> {
    const path = join(this.#folder, checkedKey(delivery.key));
    const uri = pathToFileURL(path).href;
    try {
      const occupied = await isFile(path);
      if (occupied) refuseOwned((await readOwner(this.#folder, delivery.key))?.owner ?? null, delivery, uri);
      const result: DeliveryResult =
        occupied && (await holds(path, delivery))
          ? { status: 'already_there', uri }
          : await this.#write(delivery, path, uri, hooks);
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

  async #write(delivery: Delivery, path: string, uri: string, hooks: DeliveryHooks): Promise<DeliveryResult> {
    await requireSource(delivery.sourcePath);
    await mkdir(dirname(path), { recursive: true });
    // Of a killed delivery of this key. Nobody else delivers it: days run one at a time.
    await removeLeftoversOf(path);
    const temporary = temporaryName(path);
    try {
      await copyChecked(delivery, temporary, hooks);
      crashPoint('upload-temporary');
      if (!(await isFile(path))) {
        await publishFile(temporary, path);
        crashPoint('upload-renamed');
        return { status: 'written', uri };
      }
      // Looked at again, as copying took its time. Only now, with a checked copy at hand, is the former file touched (SAFE-11).
      refuseOwned((await readOwner(this.#folder, delivery.key))?.owner ?? null, delivery, uri);
      const isKnown = delivery.owner === undefined || (await readOwner(this.#folder, delivery.key)) !== null;
      const backupPath = await backupFile(path, join(this.#folder, '_backup'));
      await publishFile(temporary, path);
      return { status: 'replaced', uri, backupPath, ...(!isKnown && { warning: replacedUnknown(uri, backupPath) }) };
    } finally {
      await rm(temporary, { force: true });
    }
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
async function copyChecked(
  delivery: Delivery,
  temporary: string,
  { signal, onProgress }: DeliveryHooks,
): Promise<void> {
  const target = await open(temporary, 'wx');
  let copied = 0;
  try {
    for await (const chunk of createReadStream(delivery.sourcePath, { highWaterMark: 1 << 20 })) {
      signal?.throwIfAborted();
      await target.writeFile(chunk as Buffer);
      onProgress?.((copied += (chunk as Buffer).length));
    }
    await target.sync();
  } finally {
    await target.close();
  }
  const got = await fileDigest(temporary);
  if (got.sizeBytes === delivery.sizeBytes && got.sha256 === delivery.sha256) return;
  throw notAsAnnounced(`The copy of ${delivery.sourcePath} reads back as`, got, delivery);
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
