/** Connections to a Temporal server, with errors in an operator's words. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import type { Environment } from '../../config.ts';
import { isPipelineError, PipelineError } from '../../core/errors.ts';

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
      `The Temporal server at ${address} cannot be reached: ${whyUnreachable((error as Error).message)}.`,
      {
        hint: 'Check TEMPORAL_ADDRESS (host:port) and that the server runs; unset it to use the embedded server.',
        cause: error,
      },
    );
  }
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ConnectionRefused/, 'nobody listens there'],
  [/dns error/, 'its name is not known'],
  [/InvalidContentType/, 'it does not speak TLS there, see TEMPORAL_TLS'],
  [/InvalidCertificate|UnknownIssuer/, 'its certificate is not trusted, see TEMPORAL_TLS_SERVER_CA_CERT_PATH'],
  [/TimedOut|deadline has elapsed|timed out/, 'it does not answer in time'],
];

/** Why a server cannot be reached, from what the SDK says for its makers; that itself where it says something else. */
export function whyUnreachable(message: string): string {
  const [, refusal] = /code: (?:PermissionDenied|Unauthenticated), message: "([^"]*)"/.exec(message) ?? [];
  if (refusal !== undefined) return `it refuses the credentials (TEMPORAL_API_KEY, TEMPORAL_TLS_…): ${refusal}`;
  return REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? message;
}

/** An error that says that the namespace is missing, in an operator's words; null for any other. */
export function missingNamespace(error: unknown): PipelineError | null {
  if (!(error instanceof Error) || isPipelineError(error)) return null;
  const [, told] = /^Namespace (?:not found: )?'?([^\s']+)'?(?: (?:is|was) not found|$)/.exec(error.message) ?? [];
  if (told === undefined) return missingNamespace(error.cause);
  return new PipelineError('config_invalid', `The Temporal server has no namespace "${told}".`, {
    hint: `Set TEMPORAL_NAMESPACE to one that it has, or make it: temporal operator namespace create --retention 365d -n ${told}`,
    cause: error,
  });
}
