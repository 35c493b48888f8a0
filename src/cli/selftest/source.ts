/** The bundled simulator as a process of its own, and its counters. It ends when this process does. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PipelineError } from '../../core/errors.ts';
import { EMPTY_DAY } from './scenario.ts';
import type { FaultRule } from './scenario.ts';

const SIMULATOR = fileURLToPath(new URL('../../../simulator/main.ts', import.meta.url));

export interface SourceStats {
  readonly requests: number;
  readonly byEndpoint: Readonly<Record<string, number>>;
  readonly slicesAnswered: number;
  readonly repeatedAnswers: number;
}

export interface SeenRequest {
  readonly number: number;
  readonly endpoint: string;
  /** `a..b`; absent for requests that have none. */
  readonly range?: string;
  /** Arrival, milliseconds of the simulator's clock; `durationMs` is absent while it is under way. */
  readonly atMs: number;
  readonly durationMs?: number;
  readonly status?: number;
  readonly inCooldown: boolean;
  readonly fault?: string;
}

export interface Source {
  readonly url: string;
  stats(): Promise<SourceStats>;
  requests(): Promise<readonly SeenRequest[]>;
  stop(): Promise<void>;
}

/** Days of a few records, one of them empty, with the faults of a scenario. */
export async function startSource(seed: number, faults: readonly FaultRule[]): Promise<Source> {
  const args = [SIMULATOR, '--port', '0', '--tiny', '--empty-days', EMPTY_DAY];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  const url = await readyUrl(child.stdout);
  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${url}/_control/${path}`, init);
    if (!answer.ok)
      throw new PipelineError('invariant_broken', `The simulator refused ${path}: ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  if (faults.length > 0) await ask('faults', { seed, rules: faults });
  return {
    url,
    stats: () => ask<SourceStats>('stats'),
    requests: () => ask<SeenRequest[]>('requests'),
    async stop() {
      child.stdin.end();
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function readyUrl(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface(stdout)) return (JSON.parse(line) as { url: string }).url;
  throw new PipelineError('invariant_broken', 'The simulator ended before it was ready.', {
    hint: 'Run "reachback simulator" to see what it says.',
  });
}
