/** The embedded server of a workspace (design §2, §7). */
import { join } from 'node:path';
import { removeEmbeddedInfo, writeEmbeddedInfo } from '../storage/embedded-file.ts';
import type { WorkspacePaths } from '../storage/workspace.ts';
import { ensureTemporalBinary } from './temporal-binary.ts';
import type { TemporalBinary } from './temporal-binary.ts';
import { startTemporalServer } from './temporal-server.ts';
import type { EmbeddedServer, TemporalServerOptions } from './temporal-server.ts';

export interface StartEmbeddedOptions extends Pick<TemporalServerOptions, 'port' | 'uiPort' | 'onRestart' | 'onLost'> {
  /** Environment variables; see `ensureTemporalBinary`. */
  readonly environment: NodeJS.ProcessEnv;
  /** Whether other commands of the workspace may use the server, as with `dev`; by default it serves this process alone. */
  readonly shared?: boolean | undefined;
  readonly onProgress?: ((message: string) => void) | undefined;
}

export interface WorkspaceServer {
  /** `127.0.0.1:port`, for a `Connection` or `NativeConnection`. */
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string;
  readonly binary: TemporalBinary;
  /** The server's log file. */
  readonly logPath: string;
  /** Stops the server and withdraws its address from the workspace. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the server of a workspace whose lock the caller holds, and makes its address known to other commands of the
 * workspace until it is stopped. When this process ends without a stop, the server ends too.
 *
 * @throws PipelineError `config_invalid`: no binary, a given port taken, or the server does not start
 */
export async function startEmbedded(
  workspace: Pick<WorkspacePaths, 'temporalDatabasePath' | 'logs' | 'embeddedFile'>,
  { environment, shared = false, onProgress, ...options }: StartEmbeddedOptions,
): Promise<WorkspaceServer> {
  const binary = await ensureTemporalBinary(environment, { onProgress });
  const logPath = join(workspace.logs, 'temporal-server.log');
  const server: EmbeddedServer = await startTemporalServer({
    ...options,
    binary: binary.path,
    databasePath: workspace.temporalDatabasePath,
    logPath,
  });
  const { address, namespace, uiUrl } = server;
  await writeEmbeddedInfo(workspace, { address, uiUrl, pid: process.pid, startedAt: new Date().toISOString(), shared });
  return {
    address,
    namespace,
    uiUrl,
    binary,
    logPath,
    async stop() {
      await removeEmbeddedInfo(workspace);
      await server.stop();
    },
  };
}
