/**
 * A client for the simulator's tests: plain undici requests, nothing of the pipeline's own download code.
 */
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import type { FaultPlan, Simulator } from '../../simulator/simulator.ts';

export const TOKEN = 'Basic c2VjcmV0';
export const DATA_PATH = '/udl/spaceenvobservation';

export interface SimRecord {
  readonly id: string;
  readonly idSensor?: string | null;
  readonly observatoryName: string;
  readonly obTime: string;
  readonly createdAt: string;
  readonly genTime: string;
  readonly descriptor: string;
  readonly lat: number;
  readonly lon: number;
  readonly alt: number;
  readonly senPos: readonly [number, number, number];
  readonly seoList: readonly [{ readonly obValue: number; readonly obQuality: string; readonly obDescription: string }];
}

/** A data query of the range with the usual filters (UDL-2); `extra` replaces or adds parameters. */
export function query(range: string, extra: Readonly<Record<string, string | undefined>> = {}): string {
  const parameters = {
    obTime: range,
    source: 'Aerospace',
    dataMode: 'REAL',
    descriptor: 'QUICKLOOK',
    sort: 'obTime',
    ...extra,
  };
  const parts = Object.entries(parameters).flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`));
  return `?${parts.join('&')}`;
}

export function range(start: string, end: string): string {
  return `2025-09-01T${start}Z..2025-09-01T${end}Z`;
}

/** GET with a token; fails after 5 s of silence. */
export async function get(
  simulator: Simulator,
  pathAndQuery: string,
  headers: Readonly<Record<string, string>> = { authorization: TOKEN },
): Promise<Dispatcher.ResponseData> {
  return request(`${simulator.url}${pathAndQuery}`, { headers, headersTimeout: 5_000, bodyTimeout: 5_000 });
}

export async function getText(simulator: Simulator, pathAndQuery: string): Promise<string> {
  return (await get(simulator, pathAndQuery)).body.text();
}

/** The records of one slice, which must be answered with 200. */
export async function getRecords(simulator: Simulator, pathAndQuery: string): Promise<readonly SimRecord[]> {
  const response = await get(simulator, pathAndQuery);
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${await response.body.text()}`);
  return (await response.body.json()) as readonly SimRecord[];
}

/** A plan with one rule. */
export function always(fault: FaultPlan['rules'][number]['fault']): FaultPlan {
  return { rules: [{ fault }] };
}
