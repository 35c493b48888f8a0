/** The hooks of a test file whose downloads ask a scripted server; `set-up.ts` holds the parts, for processes that are no tests too. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadRequest } from '../../../src/activities/download/index.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import { startScriptedServer } from '../../sources/udl/scripted-server.ts';
import type { Script, ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { ARCHIVE, answerFrom, makeWorkspace, memoryLedger, openGate, testSource } from './set-up.ts';
import type { TestLedger, Workspace } from './set-up.ts';

/** What a test of downloads has: a scripted source, and for itself a gate, a ledger and folders. */
export interface DownloadPlace {
  readonly server: ScriptedServer;
  readonly source: UdlSource;
  readonly folders: Workspace;
  readonly ledger: TestLedger;
  readonly deps: DownloadDependencies;
}

/**
 * Gives every test of a file its place. Call it at the top of the file.
 *
 * @param script - of the source, at the beginning of each test
 * @param take - called before each test
 */
export function useDownloads(script: Script, take: (place: DownloadPlace) => void): void {
  let server: ScriptedServer;
  let source: UdlSource;
  let folders: Workspace;
  beforeAll(async () => {
    server = await startScriptedServer(script);
    source = testSource(server.url);
  });
  beforeEach(async () => {
    server.seen.length = 0;
    server.script = script;
    folders = await makeWorkspace();
    const ledger = memoryLedger();
    take({ server, source, folders, ledger, deps: { gate: openGate(), source, ledger, folders } });
  });
  afterEach(() => folders.remove());
  afterAll(async () => {
    await source.close();
    await server.close();
  });
}

/** SHA-256 of a day that nothing disturbs, from the test archive. */
export async function undisturbedHash(request: DownloadRequest): Promise<string> {
  const [server, folders] = [await startScriptedServer(answerFrom(ARCHIVE)), await makeWorkspace()];
  const source = testSource(server.url);
  const outcome = await downloadDay({ gate: openGate(), source, ledger: memoryLedger(), folders }, request);
  await source.close();
  await server.close();
  await folders.remove();
  if (outcome.outcome !== 'done') throw new Error(outcome.reason);
  return outcome.sha256;
}
