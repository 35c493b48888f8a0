/** Telemetry CSVs of the older layout (TEL-32). */
import { constants, copyFile } from 'node:fs/promises';
import { writeAtomically } from '../storage/atomic-file.ts';
import { freeName } from './free-name.ts';
import { OLD_COLUMN_COUNT, TELEMETRY_COLUMNS, csvLine } from './telemetry-format.ts';
import { streamRecords } from './telemetry-records.ts';

const PADDING = ','.repeat(TELEMETRY_COLUMNS.length - OLD_COLUMN_COUNT);
const CARRIAGE_RETURN = 0x0d;

/** Rewrites the file with the full header, its short rows padded, and keeps the original. @returns where that is */
export async function upgradeTelemetry(path: string): Promise<string> {
  const backup = await freeName(`${path}.18-columns`, (name) => copyFile(path, name, constants.COPYFILE_EXCL));
  await writeAtomically(path, async (file) => {
    let isHeader = true;
    for await (const { bytes, records } of streamRecords(path)) {
      const parts: Buffer[] = [];
      for (const record of records) {
        const text = bytes.subarray(record.start, record.end);
        if (isHeader) parts.push(Buffer.from(csvLine(TELEMETRY_COLUMNS)));
        else if (!record.ended || record.openQuote || record.fields !== OLD_COLUMN_COUNT) parts.push(text);
        else {
          const content = text.subarray(0, text.at(-2) === CARRIAGE_RETURN ? -2 : -1);
          parts.push(content, Buffer.from(PADDING), text.subarray(content.length));
        }
        isHeader = false;
      }
      await file.writeFile(Buffer.concat(parts));
    }
  });
  return backup;
}
