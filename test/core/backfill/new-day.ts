import type { DecisionFacts } from '../../../src/core/backfill/decide.ts';

/** Of a day that nobody has looked at. */
export const NEW_DAY: DecisionFacts = {
  download: 'none',
  build: 'none',
  upload: 'none',
  artifact: 'none',
  counted: false,
  noDataFinal: true,
  inputFound: false,
  product: 'none',
  productCurrent: false,
  delivered: false,
  recheckDue: false,
};
