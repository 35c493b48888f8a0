import type { Secret } from '../core/secret.ts';

/**
 * Sends one message to a Slack webhook. Never rejects. No redirect is followed: the address is a secret.
 *
 * @param signal - ends the waiting; whether the message arrived is then unknown
 * @returns null when it was taken, else why not, without the address
 */
export async function postToWebhook(url: Secret, text: string, signal: AbortSignal): Promise<string | null> {
  try {
    const response = await fetch(url.reveal(), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: escaped(text) }),
      redirect: 'manual',
      signal,
    });
    await response.body?.cancel();
    return response.ok ? null : `HTTP ${response.status}`;
  } catch (error) {
    const { name, message, cause } = error as Error;
    if (name === 'TimeoutError') return 'no answer in time';
    return url.redact(cause instanceof Error ? cause.message : message);
  }
}

/** Slack reads these three as its own marks. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
