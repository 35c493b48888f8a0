/**
 * The simulator: a stand-in for the Unified Data Library's `spaceenvobservation` service that counts its clients'
 * requests and can misbehave on purpose. Start reading in README.md.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordCounts } from '../src/core/records/counts.ts';
import { dayOfMs } from '../src/core/time/day.ts';
import { Archive } from './archive/archive.ts';
import type { RecordFilter } from './archive/archive.ts';
import { LOGIN_PAGE, LOGIN_PATH, faultyAnswer, tooManyRequests } from './faults/answers.ts';
import { deliver } from './faults/delivery.ts';
import { FaultDirector } from './faults/director.ts';
import type { Endpoint } from './faults/director.ts';
import { checkPlan } from './faults/plan.ts';
import type { Fault, FaultPlan } from './faults/plan.ts';
import { refusal, text } from './http/answer.ts';
import type { Answer } from './http/answer.ts';
import { CONTROL_PREFIX, control } from './http/control.ts';
import { QueryError, parseQuery, sliceOfDay } from './http/query.ts';
import type { DataQuery } from './http/query.ts';
import { queryHelp } from './http/query-help.ts';
import { Source } from './http/source.ts';
import { resolveServerOptions } from './options.ts';
import type { ServerSettings, SimulatorOptions } from './options.ts';
import { TrafficMeter } from './traffic/meter.ts';
import type { RequestRecord, TrafficStats } from './traffic/meter.ts';
import { TokenBucket } from './traffic/token-bucket.ts';

export type { SimulatorOptions } from './options.ts';
export type { FaultPlan } from './faults/plan.ts';
export type { RequestRecord } from './traffic/meter.ts';

export interface SimulatorStats extends TrafficStats {
  /** How often each rule of the fault plan has fired, in plan order. */
  readonly faultsFired: readonly number[];
}

/** A running simulator. */
export interface Simulator {
  /** `http://127.0.0.1:<port>`, to be used as the base URL. */
  readonly url: string;
  readonly port: number;
  stats(): SimulatorStats;
  /** The latest requests, oldest first; how many is an option. */
  requests(): readonly RequestRecord[];
  /** Back to the state after the start without faults: counters, log, late data and fault plan are gone. */
  reset(): void;
  /** Replaces the fault plan; its counts begin anew. @throws PipelineError `config_invalid` */
  setFaults(plan: FaultPlan): void;
  /** Counts of a complete half-open download of a day; all descriptors unless one is given. */
  expectedDay(day: string, filter?: RecordFilter): RecordCounts;
  /** Fills the first `instants` silent (sensor, instant) cells of a day, two records each; returns how many. */
  deliverLate(day: string, instants?: number): number;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

const DATA_PATH = '/udl/spaceenvobservation';
const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  [DATA_PATH, 'data'],
  [`${DATA_PATH}/count`, 'count'],
  [`${DATA_PATH}/queryhelp`, 'queryhelp'],
]);

/**
 * Starts a simulator on 127.0.0.1.
 *
 * @throws PipelineError `config_invalid` for options that cannot be used, and the system's error when the port is taken
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const running = new RunningSimulator(options);
  await running.listen();
  return running;
}

/** What a request's handling has learnt so far; the meter reads it when the request ends. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly endpoint: Endpoint | undefined;
  readonly query: DataQuery | undefined;
  /** Why the query could not be read. */
  readonly queryError: string | undefined;
  readonly meter: TrafficMeter;
  readonly record: RequestRecord;
  answer: Answer | undefined;
}

class RunningSimulator implements Simulator {
  readonly #settings: ServerSettings;
  readonly #archive: Archive;
  readonly #source: Source;
  readonly #director = new FaultDirector();
  #bucket: TokenBucket | undefined;
  readonly #server: Server;
  #meter: TrafficMeter;

  constructor(options: SimulatorOptions) {
    this.#settings = resolveServerOptions(options);
    this.#archive = new Archive(options);
    this.#source = new Source(this.#archive, this.#settings);
    this.#bucket = this.#newBucket();
    this.#meter = this.#newMeter();
    if (options.faults) this.setFaults(options.faults);
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        process.emitWarning(`simulator: ${String(error)}`);
        response.destroy();
      });
    });
    // Longer than clients keep idle connections, so that none is closed under a client's new request.
    this.#server.keepAliveTimeout = 60_000;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#settings.port, '127.0.0.1', resolve);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  stats(): SimulatorStats {
    return { ...this.#meter.stats(), faultsFired: this.#director.fired };
  }

  requests(): readonly RequestRecord[] {
    return this.#meter.log();
  }

  reset(): void {
    this.#meter = this.#newMeter();
    this.#bucket = this.#newBucket();
    this.#archive.reset();
    this.#director.setPlan(checkPlan({ rules: [] }));
  }

  setFaults(plan: FaultPlan): void {
    this.#director.setPlan(checkPlan(plan));
  }

  expectedDay(day: string, filter: RecordFilter = {}): RecordCounts {
    return this.#archive.expectedDay(day, filter);
  }

  deliverLate(day: string, instants?: number): number {
    return this.#archive.deliverLate(day, instants);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #newMeter(): TrafficMeter {
    return new TrafficMeter(this.#settings.cooldownGraceMs, this.#settings.logLength);
  }

  #newBucket(): TokenBucket | undefined {
    return this.#settings.rateLimit && new TokenBucket(this.#settings.rateLimit);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const now = performance.now();
    const url = new URL(request.url ?? '/', this.url);
    if (url.pathname.startsWith(CONTROL_PREFIX)) {
      await deliver(response, await control(this, request, url), undefined);
      return;
    }
    const exchange = this.#begin(now, request, response, url);
    const { latencyMs, fault } = this.#decide(exchange, now);
    if (latencyMs > 0) await sleep(latencyMs);
    if (response.destroyed) return;

    const answer = this.#answer(exchange, fault);
    exchange.answer = answer;
    exchange.record.fault = fault?.kind;
    if (answer.cooldownMs !== undefined) exchange.meter.announceCooldown(performance.now(), answer.cooldownMs);
    await deliver(response, answer, fault);
  }

  #begin(now: number, request: IncomingMessage, response: ServerResponse, url: URL): Exchange {
    const endpoint = ENDPOINTS.get(url.pathname);
    const { query, queryError } = this.#readQuery(endpoint, request);
    const meter = this.#meter;
    const record = meter.begin(now, {
      endpoint: endpoint ?? 'other',
      target: request.url ?? '/',
      range: query?.range,
      idSensor: query?.records.idSensor,
      descriptor: query?.records.descriptor,
    });
    const exchange: Exchange = { request, response, endpoint, query, queryError, meter, record, answer: undefined };
    response.once('close', () => {
      const { answer } = exchange;
      const whole = response.writableFinished && answer !== undefined;
      meter.end(record, performance.now(), {
        status: response.headersSent ? response.statusCode : undefined,
        completed: whole && answer.good,
        bodyBytes: whole ? answer.body.length : 0,
        sliceText: endpoint === 'data' ? query?.sliceText : undefined,
      });
    });
    return exchange;
  }

  #readQuery(endpoint: Endpoint | undefined, request: IncomingMessage): Pick<Exchange, 'query' | 'queryError'> {
    if (endpoint !== 'data' && endpoint !== 'count') return { query: undefined, queryError: undefined };
    const [, queryText = ''] = (request.url ?? '').split(/\?(.*)/s, 2);
    try {
      return { query: parseQuery(queryText, this.#settings.rangeEnd, this.#settings.cap), queryError: undefined };
    } catch (error) {
      if (error instanceof QueryError) return { query: undefined, queryError: error.message };
      throw error;
    }
  }

  /** A running storm comes first, then the rate limit, then the plan; requests elsewhere only see the first two. */
  #decide(exchange: Exchange, now: number): { latencyMs: number; fault: Fault | undefined } {
    const storm = this.#director.stormFault(now);
    if (storm !== undefined) return { latencyMs: 0, fault: storm };
    if (this.#bucket?.take(now) === false) {
      const retryAfterS = this.#settings.rateLimit?.retryAfterS ?? 1;
      return { latencyMs: 0, fault: { kind: 'rate_limit', retryAfterS, form: 'seconds' } };
    }
    const { endpoint, query } = exchange;
    if (endpoint === undefined) return { latencyMs: 0, fault: undefined };
    return this.#director.decide(
      {
        endpoint,
        sliceText: query?.sliceText ?? exchange.record.target,
        day: query && dayOfMs(query.records.fromMs),
        slice: query && sliceOfDay(query.records),
        idSensor: query?.records.idSensor,
      },
      now,
    );
  }

  #answer(exchange: Exchange, fault: Fault | undefined): Answer {
    const { request, endpoint } = exchange;
    const good = (): Answer => this.#good(exchange, fault);
    if (fault?.kind === 'rate_limit') return tooManyRequests(fault.retryAfterS, fault.form);
    if (endpoint === undefined) {
      return exchange.record.target.startsWith(LOGIN_PATH)
        ? text(200, LOGIN_PAGE, 'text/html')
        : refusal(404, `Nothing at ${exchange.record.target}.`);
    }
    if (request.method !== 'GET') return refusal(405, `${request.method} is not allowed here; use GET.`);
    return faultyAnswer(fault, good);
  }

  /** The right answer to what was asked, which may be a refusal. */
  #good(exchange: Exchange, fault: Fault | undefined): Answer {
    const { request, endpoint, query, queryError } = exchange;
    const { authorization } = request.headers;
    const { token } = this.#settings;
    if (authorization === undefined || authorization === '' || (token !== undefined && authorization !== token)) {
      return refusal(401, 'The Authorization header is missing or not accepted.');
    }
    if (endpoint === 'queryhelp') return queryHelp(DATA_PATH, this.#settings.count);
    if (endpoint === 'count' && !this.#settings.count) return refusal(404, 'There is no count here.');
    if (query === undefined) return refusal(400, queryError ?? 'The query cannot be read.');
    if (endpoint === 'count') return this.#source.count(query);
    // Faults of content work on the plain text.
    const acceptsGzip = fault === undefined && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    try {
      return this.#source.data(query, acceptsGzip);
    } catch (error) {
      if (error instanceof QueryError) return refusal(400, error.message);
      throw error;
    }
  }
}
