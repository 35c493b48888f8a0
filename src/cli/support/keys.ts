/** One key on a terminal. Ctrl-C keeps its meaning although the terminal is in raw mode. */
export function listenForKey(wanted: string): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const onData = (data: Buffer): void => {
    const key = data.toString();
    if (key === wanted) controller.abort();
    if (key === '\u0003') process.kill(process.pid, 'SIGINT');
  };
  process.stdin.setRawMode(true);
  process.stdin.resume();
  process.stdin.on('data', onData);
  return {
    signal: controller.signal,
    dispose() {
      process.stdin.off('data', onData);
      process.stdin.setRawMode(false);
      process.stdin.pause();
    },
  };
}
