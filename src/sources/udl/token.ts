/** The token as AWS Secrets Manager keeps it: JSON with the key `basicauth` (UDL-7). No text of ours holds any part of it. */
import { PipelineError } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';

export interface SecretPlace {
  readonly arn: string;
  /** Null leaves it to the SDK's chain (UDL-8). */
  readonly region: string | null;
}

const KEY = 'basicauth';

/** Reasons by the service's error names, in words, each with what to do. */
const REASONS: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ResourceNotFoundException: ['there is no such secret in that region', 'Check SECRET_ARN_UDL and --aws-region.'],
  AccessDeniedException: [
    'access is denied',
    'Let the account call secretsmanager:GetSecretValue on the secret, and kms:Decrypt where it has a key of its own.',
  ],
  DecryptionFailure: ['its key cannot be used', 'Let the account call kms:Decrypt with the key of the secret.'],
  InvalidRequestException: [
    'the secret is being deleted or has no value',
    'Restore it, or name another in SECRET_ARN_UDL.',
  ],
  ExpiredTokenException: ['the session token of the AWS credentials has expired', 'Renew the credentials.'],
  UnrecognizedClientException: ['the access key is not known', 'Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.'],
  InvalidClientTokenId: ['the access key is not known', 'Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.'],
  InvalidSignatureException: [
    'the signature is not right',
    'Check AWS_SECRET_ACCESS_KEY, and the clock of this machine.',
  ],
  CredentialsProviderError: [
    'no AWS credentials were found',
    'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where the machine has a role.',
  ],
};

/** @throws PipelineError `config_invalid` with the cause in words and what to do, never with the secret (UDL-D13) */
export async function tokenFromSecretsManager(place: SecretPlace): Promise<Secret> {
  const text = await fetchSecret(place);
  if (text === undefined) throw unusable(place, 'it has no text, only binary content');
  let value: unknown;
  try {
    value = (JSON.parse(text) as Record<string, unknown> | null)?.[KEY];
  } catch {
    // The parser's message quotes the text.
    throw unusable(place, 'its text is not JSON');
  }
  if (typeof value !== 'string' || value === '') throw unusable(place, `it has no text under the key "${KEY}"`);
  if (!/^[\x20-\x7e\t]+$/.test(value)) throw unusable(place, `the value of "${KEY}" is not one line of plain ASCII`);
  return new Secret(value);
}

/** The SDK is loaded when it is needed: most runs have their token in the environment. */
async function fetchSecret(place: SecretPlace): Promise<string | undefined> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient(place.region === null ? {} : { region: place.region });
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: place.arn }));
    return SecretString;
  } catch (error) {
    throw refused(place, error as Error);
  } finally {
    client.destroy();
  }
}

function refused(place: SecretPlace, error: Error): PipelineError {
  const [what, hint] = Object.hasOwn(REASONS, error.name) ? REASONS[error.name]! : otherReason(place, error);
  return new PipelineError('config_invalid', `Cannot read the UDL token from ${place.arn}: ${what} (${error.name}).`, {
    hint: `${hint} Or set BASICAUTH instead.`,
    context: { code: error.name },
  });
}

function otherReason({ arn }: SecretPlace, error: Error): readonly [what: string, hint: string] {
  if (error.message === 'Region is missing') {
    const region = arn.split(':')[3];
    return ['no AWS region is known', `Set --aws-region${region ? ` ${region}` : ''}, or AWS_REGION.`];
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined)
    return [`AWS Secrets Manager cannot be reached, ${code}`, 'Check the network and --aws-region.'];
  return [error.message, 'Check SECRET_ARN_UDL and the account.'];
}

function unusable({ arn }: SecretPlace, what: string): PipelineError {
  return new PipelineError('config_invalid', `The secret ${arn} is no UDL token: ${what}.`, {
    hint: `Store it as JSON: {"${KEY}": "Basic <base64 of user:password>"}, or set BASICAUTH instead.`,
  });
}
