/** The UDL token: from `BASICAUTH`, else from AWS Secrets Manager (UDL-7). Looked up once, when it is needed. */
import { PipelineError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { tokenFromSecretsManager } from '../../sources/udl/token.ts';
import type { CliContext } from './context.ts';

/**
 * @param awsRegion - of `--aws-region` (UDL-8); null for the environment's
 * @returns null when neither variable is set
 * @throws PipelineError `config_invalid` when the lookup fails (UDL-D13)
 */
export async function findToken(
  { environment, secrets }: CliContext,
  awsRegion: string | null,
): Promise<Secret | null> {
  if (environment.token !== null || environment.secretArn === null) return environment.token;
  const token = await tokenFromSecretsManager({
    arn: environment.secretArn,
    region: awsRegion ?? environment.awsRegion,
  });
  secrets.push(token);
  return token;
}

/** @throws PipelineError `config_invalid` naming both variables when there is no token */
export function requireToken(token: Secret | null): Secret {
  if (token) return token;
  throw new PipelineError('config_invalid', 'No UDL token: neither BASICAUTH nor SECRET_ARN_UDL is set.', {
    hint: 'Set BASICAUTH to the Authorization value of your UDL account ("Basic <base64 of user:password>"), in the environment or in .env; or SECRET_ARN_UDL to the ARN of a secret in AWS Secrets Manager that holds it.',
  });
}
