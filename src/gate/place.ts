/**
 * Where a gate lives on this machine: `<state home>/reachback/gate/<hash>/`, one folder per origin and credential, for the
 * user alone (0700, files 0600). The name is a keyed hash: it tells nothing about the credential without the machine's key.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { syncFolder, temporaryName } from '../storage/atomic-file.ts';
import { errorCode, explainFsError } from '../storage/folders.ts';

export const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const KEY_BYTES = 32;

/** Whose requests a gate counts together. */
export interface GateIdentity {
  /** Scheme, host and port of the source. */
  readonly origin: string;
  readonly credential: Secret;
}

/**
 * The gate's folder, made when missing. Two processes that come first at once agree on one key.
 *
 * @param stateHome - `$XDG_STATE_HOME`, absolute
 * @throws PipelineError `config_invalid` naming the folder that cannot be written and why
 */
export async function gateFolder(stateHome: string, { origin, credential }: GateIdentity): Promise<string> {
  const home = join(stateHome, 'reachback', 'gate');
  try {
    await mkdir(home, { recursive: true, mode: PRIVATE_FOLDER });
    const key = await machineKey(join(home, 'key'));
    const hash = createHmac('sha256', key).update(`${origin}\n${credential.reveal()}`).digest('hex').slice(0, 32);
    const folder = join(home, hash);
    await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
    await chmod(folder, PRIVATE_FOLDER);
    return folder;
  } catch (error) {
    throw new PipelineError('config_invalid', `Cannot write the gate's state in ${home}: ${explainFsError(error)}.`, {
      hint: 'Set XDG_STATE_HOME to a folder of your own that lasts: it remembers how fast the source may be asked, and its pauses.',
      context: { path: home },
      cause: error,
    });
  }
}

async function machineKey(path: string): Promise<Buffer> {
  const known = await readKey(path);
  if (known) return known;
  const temporary = temporaryName(path);
  const file = await open(temporary, 'wx', PRIVATE_FILE);
  try {
    await file.writeFile(randomBytes(KEY_BYTES));
    await file.sync();
    // A link, not a rename: it fails when another process was quicker, whose key then counts.
    await link(temporary, path).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
    await syncFolder(join(path, '..'));
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
  const made = await readKey(path);
  if (made) return made;
  throw new Error(`${path} is damaged: expected ${KEY_BYTES} bytes. Remove it`);
}

async function readKey(path: string): Promise<Buffer | null> {
  try {
    const key = await readFile(path);
    return key.length === KEY_BYTES ? key : null;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
