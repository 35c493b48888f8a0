/** What PostgreSQL and the way to it say, in the pipeline's words. */
import { PipelineError, isPipelineError } from '../../core/errors.ts';
import { Secret } from '../../core/secret.ts';

/** The way to the server, or the server as a whole: what a later try may find mended. */
const UNAVAILABLE_CODES =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENETUNREACH|08...|57P0[1-5]|57014|55P03|53[234]00)$/;
/** `pg` gives these no code. */
const UNAVAILABLE_TEXTS =
  /connection terminated|connection ended|timeout exceeded when trying to connect|query read timeout|not queryable|server does not support ssl/i;

/** Two transactions crossed; run again, either is as good as if it had come later. */
const CROSSED_CODES = /^(40001|40P01)$/;

/** The server answers and will not have us: wrong password, no such database or schema, no right to use it. */
const REFUSED_CODES = /^(28...|3D000|3F000|42501)$/;

const DISK_FULL_CODE = '53100';

const MOST_TRIES = 6;
/** The longest wait before the second try, doubling. */
const CROSSED_WAIT_MS = 10;

export interface PostgresPlace {
  readonly url: Secret;
  readonly shown: string;
}

/** The error to tell the caller, without secrets. Errors that are no database matter stay as they are. */
export function explainPostgresError(error: unknown, { url, shown }: PostgresPlace): unknown {
  if (isPipelineError(error) || !(error instanceof Error)) return error;
  const code = codeOf(error);
  const said = passwordOf(url).redact(error.message === '' ? code : error.message);
  if (UNAVAILABLE_CODES.test(code) || UNAVAILABLE_TEXTS.test(error.message)) {
    return new PipelineError('ledger_unavailable', `The ledger ${shown} does not answer: ${said}.`, {
      hint: 'Check that the database runs and can be reached (REACHBACK_LEDGER_URL). Nothing is lost: a run under way tries again by itself, a command is repeated.',
      context: { code },
    });
  }
  if (REFUSED_CODES.test(code)) {
    return new PipelineError('config_invalid', `The ledger ${shown} cannot be opened: ${said}.`, {
      hint: 'Correct user, password or database in REACHBACK_LEDGER_URL, or have the database administrator grant the rights (tables in its schema: create, select, insert, update, delete).',
      context: { code },
    });
  }
  if (code === DISK_FULL_CODE) {
    return new PipelineError('disk_full', `The disk of the ledger ${shown} is full: ${said}.`, {
      hint: 'Free some space on the database server, then resume.',
    });
  }
  error.message = said;
  return error;
}

/** Runs `work` again while its transaction crosses another's; only for work that may run twice. */
export async function retryCrossed<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === MOST_TRIES || !(error instanceof Error) || !CROSSED_CODES.test(codeOf(error))) throw error;
      await new Promise((done) => setTimeout(done, Math.random() * CROSSED_WAIT_MS * 2 ** attempt));
    }
  }
}

/** `pg`'s five characters or the system's name; empty when there is none. */
function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}

function passwordOf(url: Secret): Secret {
  const { password } = new URL(url.reveal());
  return new Secret(decodeURIComponent(password));
}
