/** Connections to a Temporal server, with errors in an operator's words. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { Environment } from '../../config.ts';
import { PipelineError } from '../../core/errors.ts';

/** How the environment says to connect: address, TLS and API key, by `@temporalio/envconfig`. */
export function externalConnection(environment: Environment) {
  const variables = Object.fromEntries(
    Object.entries(environment.variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return loadClientConnectConfig({ overrideEnvVars: variables }).connectionOptions;
}

/** Connects to the server that the environment names. */
export async function connectExternal(environment: Environment): Promise<NativeConnection> {
  const options = externalConnection(environment);
  return await connect(options.address ?? '127.0.0.1:7233', options);
}

/** Connects to a server on this machine. */
export async function connectLocal(address: string): Promise<NativeConnection> {
  return await connect(address, { address });
}

async function connect(
  address: string,
  options: Parameters<typeof NativeConnection.connect>[0],
): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(options);
  } catch (error) {
    throw new PipelineError(
      'config_invalid',
      `The Temporal server at ${address} cannot be reached: ${(error as Error).message}.`,
      {
        hint: 'Check TEMPORAL_ADDRESS (host:port) and that the server runs; unset it to use the embedded server.',
        cause: error,
      },
    );
  }
}
