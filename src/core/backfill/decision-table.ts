/** The decision as tables for people: asked of `decideDay` itself, with what makes no difference folded together. */
import { ARTIFACT_STATES, BUILD_STATES, DOWNLOAD_STATES, PRODUCT_STATES, UPLOAD_STATES, decideDay } from './decide.ts';
import type { DecisionFacts, DecisionFlags } from './decide.ts';

export interface DecisionTable {
  readonly title: string;
  readonly columns: readonly string[];
  /** One text per column, `–` where it makes no difference; the last column is the action. */
  readonly rows: readonly (readonly string[])[];
}

type Choice = readonly [column: string, values: readonly unknown[]];

const YES_NO = [true, false] as const;

const DOWNLOAD_CHOICES: readonly Choice[] = [
  ['download', DOWNLOAD_STATES],
  ['noDataFinal', YES_NO],
  ['artifact', ARTIFACT_STATES],
  ['counted', YES_NO],
  ['retryFailed', YES_NO],
  ['fetchReleased', YES_NO],
];

const PROCESS_CHOICES: readonly Choice[] = [
  ['upload wanted', YES_NO],
  ['build', BUILD_STATES],
  ['upload', UPLOAD_STATES],
  ['retryFailed', YES_NO],
  ['product', PRODUCT_STATES],
  ['productCurrent', YES_NO],
  ['delivered', YES_NO],
  ['inputFound', YES_NO],
];

const NEUTRAL_FACTS: DecisionFacts = {
  download: 'none',
  build: 'none',
  upload: 'none',
  artifact: 'none',
  counted: false,
  noDataFinal: false,
  inputFound: false,
  product: 'none',
  productCurrent: false,
  delivered: false,
  recheckDue: false,
};

/** What each phase says by itself, by facts that make it say so. */
const DOWNLOAD_SAYS = {
  run: {},
  run_count: { download: 'done', artifact: 'intact' },
  skip_existing: { download: 'done', artifact: 'intact', counted: true },
  'skip_existing, file removed': { download: 'done', artifact: 'released', counted: true },
  skip_terminal: { download: 'noData', noDataFinal: true },
  skip_failed: { download: 'failed' },
} as const;
const PROCESS_SAYS = {
  run_process: {},
  run_upload_only: { product: 'intact', productCurrent: true },
  skip_existing: { product: 'intact', productCurrent: true, delivered: true },
  skip_failed: { build: 'failed' },
} as const;

const RUN_CHOICES: readonly Choice[] = [
  ['download says', Object.keys(DOWNLOAD_SAYS)],
  ['process says', Object.keys(PROCESS_SAYS)],
  ['refresh', YES_NO],
  ['recheckDue', YES_NO],
];

/** The tables of both phases, as `download` and `process` use them, and how `run` joins what the two say. */
export function decisionTable(): DecisionTable[] {
  return [
    ...phaseTables(),
    { title: 'run', columns: [...RUN_CHOICES.map(([column]) => column), 'stages'], rows: fold(RUN_CHOICES, {}, inRun) },
  ];
}

function inRun(values: Readonly<Record<string, unknown>>): string {
  const download = DOWNLOAD_SAYS[values['download says'] as keyof typeof DOWNLOAD_SAYS];
  const process = PROCESS_SAYS[values['process says'] as keyof typeof PROCESS_SAYS];
  const facts = { ...NEUTRAL_FACTS, ...download, ...process, recheckDue: values['recheckDue'] === true };
  const flags = { mode: 'run', retryFailed: false, upload: true, fetchReleased: false } as const;
  const { stages, skip, recheck } = decideDay(facts, { ...flags, refresh: values['refresh'] === true });
  if (recheck === undefined) return stages.join(', ') || `none: ${skip}`;
  const anyway = recheck.anyway.join(', ') || 'nothing';
  return `asks for the count; as many: ${anyway}; another number: ${stages.join(', ')}`;
}

function phaseTables(): DecisionTable[] {
  return [
    table('download', DOWNLOAD_CHOICES, (facts, flags) => decideDay(facts, flags).download ?? ''),
    table('process', PROCESS_CHOICES, (facts, flags) => decideDay(facts, flags).process ?? ''),
  ];
}

function table(
  mode: 'download' | 'process',
  choices: readonly Choice[],
  actionOf: (facts: DecisionFacts, flags: DecisionFlags) => string,
): DecisionTable {
  const rows = fold(choices, {}, (values) => {
    const { retryFailed, fetchReleased, 'upload wanted': upload, ...facts } = values;
    const asked = { retryFailed: retryFailed === true, fetchReleased: fetchReleased === true, upload: upload === true };
    const flags = { mode, ...asked, refresh: false };
    return actionOf({ ...NEUTRAL_FACTS, ...facts }, flags);
  });
  return { title: mode, columns: [...choices.map(([column]) => column), 'action'], rows };
}

/** Rows for the remaining choices; values with the same rows behind them share one. */
function fold(
  choices: readonly Choice[],
  values: Readonly<Record<string, unknown>>,
  actionOf: (values: Readonly<Record<string, unknown>>) => string,
): string[][] {
  const [choice, ...others] = choices;
  if (choice === undefined) return [[actionOf(values)]];
  const [column, options] = choice;
  const groups = new Map<string, { names: string[]; rows: string[][] }>();
  for (const option of options) {
    const rows = fold(others, { ...values, [column]: option }, actionOf);
    const name = typeof option === 'boolean' ? (option ? 'yes' : 'no') : String(option);
    const key = JSON.stringify(rows);
    const group = groups.get(key);
    if (group) group.names.push(name);
    else groups.set(key, { names: [name], rows });
  }
  return [...groups.values()].flatMap(({ names, rows }) => {
    const label = names.length === options.length ? '–' : names.join(', ');
    return rows.map((row) => [label, ...row]);
  });
}
