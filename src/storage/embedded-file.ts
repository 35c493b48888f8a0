/** `embedded.json`: how other commands of a workspace find its embedded server (design §5). */
import { readFile, rm } from 'node:fs/promises';
import { writeFileAtomically } from './atomic-file.ts';
import { inspectLock } from './lock.ts';
import type { WorkspacePaths } from './workspace.ts';

export interface EmbeddedInfo {
  /** `host:port` of the server's gRPC interface. */
  readonly address: string;
  readonly uiUrl: string;
  /** The process that started the server and holds the workspace's lock. */
  readonly pid: number;
  /** ISO 8601 UTC. */
  readonly startedAt: string;
  /** Whether other commands may start work on the server; otherwise they only watch and send signals. */
  readonly shared: boolean;
}

type Places = Pick<WorkspacePaths, 'embeddedFile' | 'lockPath'>;

export async function writeEmbeddedInfo(workspace: Pick<Places, 'embeddedFile'>, info: EmbeddedInfo): Promise<void> {
  await writeFileAtomically(workspace.embeddedFile, `${JSON.stringify(info)}\n`);
}

export async function removeEmbeddedInfo(workspace: Pick<Places, 'embeddedFile'>): Promise<void> {
  await rm(workspace.embeddedFile, { force: true });
}

/** Where the workspace's embedded server is, or null when none runs: a file left by a killed process counts for nothing. */
export async function readEmbeddedInfo(workspace: Places): Promise<EmbeddedInfo | null> {
  let info: EmbeddedInfo;
  try {
    info = JSON.parse(await readFile(workspace.embeddedFile, 'utf8')) as EmbeddedInfo;
  } catch {
    return null;
  }
  return inspectLock(workspace.lockPath).holder?.pid === info.pid ? info : null;
}
