/** The request for one slice (UDL-1…4). Pure. */
import type { SliceQuery } from './answer.ts';

const RESOURCE = '/udl/spaceenvobservation';

/** Path and query below the base URL, parameters in the order of UDL-2. */
export function slicePath({ product, slice }: SliceQuery): string {
  const parameters: [string, string][] = [
    ['obTime', `${timestamp(slice.queryStartMs)}..${timestamp(slice.queryEndMs)}`],
    ...(product.sensor === 'ALL' ? [] : [['idSensor', product.sensor] as [string, string]]),
    ['source', 'Aerospace'],
    ['dataMode', 'REAL'],
    ['descriptor', product.descriptor],
    ['sort', 'obTime'],
  ];
  return `${RESOURCE}?${parameters.map(([name, value]) => `${name}=${encodeValue(value)}`).join('&')}`;
}

/** `YYYY-MM-DDTHH:MM:SS.000Z`; sub-seconds are cut off, never rounded (UDL-4). */
function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}.000Z`;
}

/** Percent-encoded, except `:` and `.`, which are legal in a query and which the server is used to (UDL-D12). */
function encodeValue(value: string): string {
  return encodeURIComponent(value).replaceAll('%3A', ':');
}
