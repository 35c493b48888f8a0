/** The request for one slice (UDL-1…4). Pure. */
import type { Slice } from '../../core/slices.ts';
import type { SliceQuery } from './answer.ts';

const RESOURCE = '/udl/spaceenvobservation';
/** The number of records that the same filters select (UDL §9). */
const COUNT = `${RESOURCE}/count`;

/** Path and query below the base URL, parameters in the order of UDL-2. */
export function slicePath(query: SliceQuery): string {
  return pathOf(RESOURCE, [...filters(query), ['sort', 'obTime']]);
}

/** The same for the number of records that the slice's range and filters select. */
export function countPath(query: SliceQuery): string {
  return pathOf(COUNT, filters(query));
}

function filters({ product, slice }: SliceQuery): [string, string][] {
  return [
    ['obTime', obTimeRange(slice)],
    ...(product.sensor === 'ALL' ? [] : [['idSensor', product.sensor] as [string, string]]),
    ['source', 'Aerospace'],
    ['dataMode', 'REAL'],
    ['descriptor', product.descriptor],
  ];
}

function pathOf(resource: string, parameters: readonly [string, string][]): string {
  return `${resource}?${parameters.map(([name, value]) => `${name}=${encodeValue(value)}`).join('&')}`;
}

/** `YYYY-MM-DDTHH:MM:SS.000Z..…`; sub-seconds are cut off, never rounded (UDL-4), unless the slice needs them. */
function obTimeRange({ queryStartMs, queryEndMs, milliseconds = false }: Slice): string {
  const [start, end] = [queryStartMs, queryEndMs].map((ms) => {
    const text = new Date(ms).toISOString();
    return milliseconds ? text : `${text.slice(0, 19)}.000Z`;
  });
  return `${start}..${end}`;
}

/** Percent-encoded, except `:` and `.`, which are legal in a query and which the server is used to (UDL-D12). */
function encodeValue(value: string): string {
  return encodeURIComponent(value).replaceAll('%3A', ':');
}
