/** What the web UI shows of a day while it runs: a short page of Markdown, made from its input and its stages alone. */
import type { DayInput, DayResult, Stage } from '../backfill/types.ts';

/** What a stage does and what it may wait for, for someone who has read nothing else. */
const WHAT: Readonly<Record<Stage, string>> = {
  download:
    'asks the source for the day in slices, through the gate. It may wait for the pace, or for a pause that the source asked for; its heartbeat (under "Pending activities") has slices done, rate and until when it waits',
  count: 'counts the records of the downloaded file',
  build: 'builds the CDF from the downloaded file. It may wait for a worker that builds',
  upload: 'delivers the CDF and reads back what arrived',
};

/** @param now - the stage under way; null at the end */
export function dayDetails({ day, product, stages, reason }: DayInput, result: DayResult, now: Stage | null): string {
  const rows = stages.map((stage) => {
    const state = result.stagesDone.includes(stage) ? ' (done)' : stage === now ? ' (**under way**)' : '';
    return `- **${stage}**${state}: ${WHAT[stage]}`;
  });
  const facts = [
    result.records === undefined ? '' : `${result.records.toLocaleString('en-US')} records`,
    result.requests === undefined ? '' : `${result.requests.toLocaleString('en-US')} requests`,
    result.check === undefined ? '' : `against the source's own count: ${result.check}`,
    result.deliveredTo === undefined ? '' : `delivered to ${result.deliveredTo}`,
  ].filter((fact) => fact !== '');
  const head = result.outcome === 'no_data' ? 'The source has no data for it.' : `Why it has work: ${reason}.`;
  return [`**${product} ${day}**. ${head}`, '', ...rows, ...(facts.length > 0 ? ['', facts.join(' · ')] : [])].join(
    '\n',
  );
}
