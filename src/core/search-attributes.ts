/** Custom search attributes of the server's visibility store (design §2). Values are never sensitive. */
export const SEARCH_ATTRIBUTES = {
  product: { name: 'ReachbackProduct', type: 'KEYWORD' },
  day: { name: 'ReachbackDay', type: 'KEYWORD' },
  state: { name: 'ReachbackState', type: 'KEYWORD' },
  failedDays: { name: 'ReachbackFailedDays', type: 'INT' },
} as const;
