/**
 * What `/queryhelp` says: the parameters and abilities of this stand-in, in the provider's shape (UDL §9).
 */
import { json } from './answer.ts';
import type { Answer } from './answer.ts';

export function queryHelp(path: string, count: boolean): Answer {
  return json(200, {
    name: 'spaceenvobservation',
    uri: path,
    aodrSupported: false,
    historySupported: false,
    sortSupported: true,
    countSupported: count,
    restrictedFields: [],
    parameters: [
      parameter('obTime', 'DATE', true, 'Instant or range <start>..<end>, ISO 8601 UTC with up to microseconds.'),
      parameter('idSensor', 'STRING', false, 'Sensor, such as REACH-101.'),
      parameter('source', 'STRING', false, 'Aerospace.'),
      parameter('dataMode', 'STRING', false, 'REAL.'),
      parameter('descriptor', 'STRING', false, 'QUICKLOOK or PROVISIONAL.'),
      parameter('sort', 'STRING', false, 'obTime.'),
      parameter('firstResult', 'INTEGER', false, 'Records to leave out at the start.'),
      parameter('maxResults', 'INTEGER', false, 'Most records to return.'),
    ],
  });
}

function parameter(name: string, type: string, required: boolean, description: string): object {
  return { name, type, required, description };
}
