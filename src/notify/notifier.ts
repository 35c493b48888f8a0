/** The worker's loop of notifications. Nothing here rejects or throws into its caller, and no day waits for it. */
import type { ProductSlug } from '../core/product.ts';
import { closingText, openingText } from '../core/report/alert-text.ts';
import type { Alert } from '../core/report/alert-text.ts';
import type { Secret } from '../core/secret.ts';
import type { AlertStore, RunStop } from '../ledger/alerts.ts';
import { postToWebhook } from './webhook.ts';

export interface Notifier {
  /** A run stopped as a whole. Returns at once. */
  stopped(stop: RunStop): void;
  /** A stage of the product succeeded: what had stopped its run is over. Returns at once. */
  wentOn(product: ProductSlug): void;
  /** Tells what is left to tell, within the time limit of one message, and ends the loop. */
  close(): Promise<void>;
}

export interface NotifierOptions {
  readonly store: AlertStore;
  readonly webhook: Secret;
  /** What must be in no message. */
  readonly secrets: readonly Secret[];
  /** What the operator runs once the cause of an alert is gone. */
  readonly command: (alert: Alert) => string;
  readonly log: { warn(facts: object, message: string): void };
  readonly tickMs?: number;
  readonly settleMs?: number;
  /** Of one message. */
  readonly timeoutMs?: number;
}

const TICK_MS = 10_000;
const SETTLE_MS = 30_000;
const TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 3_600_000;

export function createNotifier(options: NotifierOptions): Notifier {
  return new WebhookNotifier(options);
}

class WebhookNotifier implements Notifier {
  readonly #options: NotifierOptions;
  readonly #timeoutMs: number;
  /** Everything that touches the ledger, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout;
  #closed = false;
  /** A stop may stand open, perhaps from an earlier process. */
  readonly #goesOn = new Set<ProductSlug>();

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#timer = this.#tickLater();
  }

  stopped(stop: RunStop): void {
    this.#goesOn.delete(stop.product);
    this.#queue(() => this.#options.store.noteStop(stop));
  }

  wentOn(product: ProductSlug): void {
    if (this.#goesOn.has(product)) return;
    this.#goesOn.add(product);
    this.#queue(() => this.#options.store.endStops(product));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    this.#queue(() => this.#round(0, deadline));
    await this.#work;
  }

  #tickLater(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#queue(() => this.#round(this.#options.settleMs ?? SETTLE_MS));
      void this.#work.finally(() => {
        if (!this.#closed) this.#timer = this.#tickLater();
      });
    }, this.#options.tickMs ?? TICK_MS).unref();
  }

  #queue(task: () => Promise<void>): void {
    this.#work = this.#work
      .then(task)
      .catch((error: unknown) =>
        this.#options.log.warn({ error: this.#clean(String(error)) }, 'a notification was put off'),
      );
  }

  async #round(settleMs: number, deadline?: AbortSignal): Promise<void> {
    const { store, command, webhook, log } = this.#options;
    await store.updateAlerts({
      settleMs,
      // Before the text is cut: half a secret is one as well.
      opens: (alert) => this.#clean(openingText({ ...alert, detail: this.#clean(alert.detail ?? '') }, command(alert))),
      closes: (alert) => this.#clean(closingText(alert)),
    });
    for (;;) {
      if (deadline?.aborted === true) return;
      // Long enough that nobody else takes it while its answer is awaited.
      const message = await store.claimMessage(4 * this.#timeoutMs);
      if (message === null) return;
      const failure = await postToWebhook(webhook, message.text, deadline ?? AbortSignal.timeout(this.#timeoutMs));
      if (failure === null) {
        await store.messageSent(message.id);
        continue;
      }
      await store.messageFailed(message.id, failure, retryAfter(message.tries));
      if (message.tries === 0) {
        log.warn({ incident: message.alert, failure }, 'a notification was not taken; it is tried again');
      }
      return;
    }
  }

  #clean(text: string): string {
    return [...this.#options.secrets, this.#options.webhook].reduce((clean, secret) => secret.redact(clean), text);
  }
}

function retryAfter(tries: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries);
}
